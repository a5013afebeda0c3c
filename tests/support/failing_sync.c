/* Preloaded into a process: fsync and fdatasync fail with EIO as long as a file is there, and after so
   many calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;

static int fails(void) {
    const char *flag = getenv("FAIL_SYNC_WHILE");
    const char *after = getenv("FAIL_SYNC_AFTER");
    long call = atomic_fetch_add(&calls, 1);
    return (flag && access(flag, F_OK) == 0) || (after && call >= atol(after));
}

int fsync(int file) {
    if (fails()) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    if (fails()) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}
