/* Preloaded into the program: writes down each change that it makes to a file below
 * TRACE_DIR, in order and with its bytes, in the file TRACE_FILE; and lets the disk be full
 * from the change on that FULL_AT counts to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static long changes;

static void put(const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        long some = syscall(SYS_write, trace, at, length);
        if (some <= 0)
            _exit(99);
        at += some;
        length -= (size_t)some;
    }
}

/* Whether the path lies below TRACE_DIR; then `name` is what follows. */
static const char *below(const char *path)
{
    const char *top = getenv("TRACE_DIR");
    size_t length = top ? strlen(top) : 0;
    if (!length || strncmp(path, top, length) || path[length] != '/')
        return NULL;
    return path + length + 1;
}

static const char *of_fd(int fd, char *buffer)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0)
        return NULL;
    buffer[length] = 0;
    return below(buffer);
}

static void note(char kind, const char *name, const char *second, uint64_t at, const void *bytes, uint64_t length)
{
    const char *file = getenv("TRACE_FILE");
    if (!file)
        return;
    if (trace < 0)
        trace = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    uint16_t first = (uint16_t)strlen(name), other = (uint16_t)strlen(second);
    put(&kind, 1);
    put(&first, 2);
    put(&other, 2);
    put(&at, 8);
    put(&length, 8);
    put(name, first);
    put(second, other);
    put(bytes, length);
}

/* Whether there is no room for this change. */
static int is_full(void)
{
    const char *at = getenv("FULL_AT");
    return ++changes >= (at ? atol(at) : LONG_MAX);
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

static ssize_t written(int fd, const void *bytes, size_t length, off_t at)
{
    char buffer[PATH_MAX];
    const char *name = of_fd(fd, buffer);
    if (!name)
        return at < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    if (is_full()) {
        errno = ENOSPC;
    } else {
        off_t where = at;
        if (at < 0) {
            struct stat about;
            fstat(fd, &about);
            where = (fcntl(fd, F_GETFL) & O_APPEND) ? about.st_size : lseek(fd, 0, SEEK_CUR);
        }
        done = at < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
        if (done > 0)
            note('w', name, "", (uint64_t)where, bytes, (uint64_t)done);
    }
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return written(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return written(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return written(fd, bytes, length, at); }

static int on_fd(int fd, char kind, off_t length, long (*run)(int, off_t))
{
    char buffer[PATH_MAX];
    const char *name = of_fd(fd, buffer);
    pthread_mutex_lock(&lock);
    int done = (int)run(fd, length);
    int kept = errno;
    if (name && done == 0)
        note(kind, name, "", (uint64_t)length, "", 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}

static long cut(int fd, off_t length) { return syscall(SYS_ftruncate, fd, length); }
static long sync_all(int fd, off_t none) { (void)none; return syscall(SYS_fsync, fd); }
static long sync_data(int fd, off_t none) { (void)none; return syscall(SYS_fdatasync, fd); }

int ftruncate(int fd, off_t length) { return on_fd(fd, 't', length, cut); }
int ftruncate64(int fd, off64_t length) { return on_fd(fd, 't', length, cut); }
int fsync(int fd) { return on_fd(fd, 's', 0, sync_all); }
int fdatasync(int fd) { return on_fd(fd, 's', 0, sync_data); }

static int opened(int at, const char *path, int flags, mode_t mode)
{
    char whole[PATH_MAX];
    if (path[0] != '/') {
        if (at != AT_FDCWD || !getcwd(whole, sizeof whole - 1 - strlen(path)))
            return (int)syscall(SYS_openat, at, path, flags, mode);
        strcat(strcat(whole, "/"), path);
    } else {
        snprintf(whole, sizeof whole, "%s", path);
    }
    const char *name = below(whole);
    if (!name || !(flags & (O_CREAT | O_TRUNC)))
        return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat about;
    int is_new = stat(whole, &about) != 0;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int kept = errno;
    if (fd >= 0 && is_new)
        note('c', name, "", mode, "", 0);
    else if (fd >= 0 && (flags & O_TRUNC))
        note('t', name, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return fd;
}

#define OPEN(name, head, at)                              \
    int name head                                         \
    {                                                     \
        va_list rest;                                     \
        va_start(rest, flags);                            \
        mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                     \
        return opened(at, path, flags, mode);             \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int folder, const char *path, int flags, ...), folder)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder)

static int named(char kind, const char *from, const char *to, long done)
{
    const char *name = below(from), *second = to ? below(to) : "";
    if (done == 0 && name && second)
        note(kind, name, second, 0, "", 0);
    int kept = errno;
    pthread_mutex_unlock(&lock);
    errno = kept;
    return (int)done;
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&lock);
    return named('r', from, to, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int unlink(const char *path)
{
    pthread_mutex_lock(&lock);
    return named('u', path, NULL, syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int mkdir(const char *path, mode_t mode)
{
    pthread_mutex_lock(&lock);
    return named('m', path, NULL, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}
