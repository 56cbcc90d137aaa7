/* Preloaded into the program: ends it as a power cut would, right before the change of a
 * name in a directory that KILL_AT counts to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long changes;

static void step(void)
{
    const char *at = getenv("KILL_AT");
    if (at && atomic_fetch_add(&changes, 1) + 1 >= atol(at))
        kill(getpid(), SIGKILL);
}

#define COUNTED(name, params, args)                            \
    int name params                                            \
    {                                                          \
        int (*real) params = (int(*) params)dlsym(RTLD_NEXT, #name); \
        step();                                                \
        return real args;                                      \
    }

COUNTED(rename, (const char *from, const char *to), (from, to))
COUNTED(link, (const char *from, const char *to), (from, to))
COUNTED(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
COUNTED(unlink, (const char *path), (path))
COUNTED(unlinkat, (int at, const char *path, int flags), (at, path, flags))
COUNTED(mkdir, (const char *path, mode_t mode), (path, mode))
