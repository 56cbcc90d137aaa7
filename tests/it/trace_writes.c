/* Preloaded into the program: writes down each change that it makes to a file below
 * TRACE_DIR, in order and with its bytes, in the file TRACE_FILE.
 *
 * FULL_AT: the disk is full from the write on that it counts to.
 * FAULT_AT, FAULT_KIND, FAULT_LASTS: from the change on that the first counts to, so many (1)
 *   fail: EIO writes and syncs, SYNC syncs alone, ENOSPC writes; SHORT writes are half done.
 * NO_SYNC: nothing waits for the disk, where that is not what is tested. */
#define _GNU_SOURCE
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
static long writes, changes, failed;

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

static int path_of(int fd, char *buffer)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    buffer[length < 0 ? 0 : length] = 0;
    return length > 0;
}

/* The same of an open file; "" is the folder itself. */
static const char *of_fd(int fd, char *buffer)
{
    const char *top = getenv("TRACE_DIR");
    if (!path_of(fd, buffer))
        return NULL;
    return top && !strcmp(buffer, top) ? "" : below(buffer);
}

/* The whole of a path that begins at an open folder. */
static const char *whole_path(int at, const char *path, char *buffer)
{
    if (path[0] == '/')
        return path;
    if (at == AT_FDCWD ? !getcwd(buffer, PATH_MAX) : !path_of(at, buffer))
        return NULL;
    size_t length = strlen(buffer);
    snprintf(buffer + length, PATH_MAX - length, "/%s", path);
    return buffer;
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
    return ++writes >= (at ? atol(at) : LONG_MAX);
}

#define CUT_SHORT (-1)

/* How this change fails: with an error, or CUT_SHORT; 0 if it does not. */
static int fault(int is_sync)
{
    const char *at = getenv("FAULT_AT"), *kind = getenv("FAULT_KIND"), *lasts = getenv("FAULT_LASTS");
    if (!at || !kind || ++changes < atol(at) || failed >= (lasts ? atol(lasts) : 1))
        return 0;
    if (strcmp(kind, "EIO") && is_sync != !strcmp(kind, "SYNC"))
        return 0;
    failed++;
    return !strcmp(kind, "SHORT") ? CUT_SHORT : !strcmp(kind, "ENOSPC") ? ENOSPC : EIO;
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t at)
{
    char buffer[PATH_MAX];
    const char *name = of_fd(fd, buffer);
    if (!name)
        return at < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    int fails = fault(0);
    if (fails == CUT_SHORT && length > 1)
        length /= 2;
    if (is_full() || fails > 0) {
        errno = fails > 0 ? fails : ENOSPC;
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
    if (kind == 's' && getenv("NO_SYNC"))
        return 0;
    pthread_mutex_lock(&lock);
    int fails = name ? fault(kind == 's') : 0;
    int done = fails > 0 ? -1 : (int)run(fd, length);
    if (fails > 0)
        errno = fails;
    int kept = errno;
    if (name && done == 0)
        note(kind, name, "", (uint64_t)length, "", 0);
    else if (name && kind == 's')
        note('f', name, "", 0, "", 0);
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
    char buffer[PATH_MAX];
    const char *whole = whole_path(at, path, buffer), *name = whole ? below(whole) : NULL;
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

/* After the change of a name, under the lock. */
static int named(char kind, int at, const char *from, const char *to, long done)
{
    int kept = errno;
    char buffer[PATH_MAX];
    const char *whole = whole_path(at, from, buffer), *name = whole ? below(whole) : NULL;
    const char *second = to ? below(to) : "";
    if (done == 0 && name && second)
        note(kind, name, second, 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return (int)done;
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&lock);
    return named('r', AT_FDCWD, from, to, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

static int linked(const char *from, const char *to)
{
    pthread_mutex_lock(&lock);
    return named('l', AT_FDCWD, from, to, syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int link(const char *from, const char *to) { return linked(from, to); }

/* Of open folders nothing here makes one. */
int linkat(int a, const char *from, int b, const char *to, int flags)
{
    return a == AT_FDCWD && b == AT_FDCWD ? linked(from, to) : (int)syscall(SYS_linkat, a, from, b, to, flags);
}

int unlinkat(int at, const char *path, int flags)
{
    pthread_mutex_lock(&lock);
    return named(flags & AT_REMOVEDIR ? 'd' : 'u', at, path, NULL, syscall(SYS_unlinkat, at, path, flags));
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode)
{
    pthread_mutex_lock(&lock);
    return named('m', AT_FDCWD, path, NULL, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

/* What copies inside the kernel is not seen here: not to be had, so that it is written. */
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *where, size_t length, unsigned flags)
{
    (void)from, (void)at, (void)to, (void)where, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t length)
{
    char buffer[PATH_MAX];
    if (!of_fd(to, buffer))
        return syscall(SYS_sendfile, to, from, at, length);
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile(int to, int from, off_t *at, size_t length) { return sendfile64(to, from, at, length); }
