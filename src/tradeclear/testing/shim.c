/* Counts the calls that change files below one directory, and spoils one of them.
 *
 * Loaded with LD_PRELOAD. All threads and all children share one counter, which lives in a file
 * mapped by each process: so "call number 17" means the same however the work is spread. The plan
 * stands in the environment (shim.py writes it) and is read at the first call that finds it, so
 * that a process may be forked first and told its plan afterwards.
 *
 *   FAULT_DIR     the directory; nothing is counted outside it
 *   FAULT_STATE   the file with the counter (struct state), made and sized by the harness
 *   FAULT_TRACE   a file that gets a line a call: number, kind, bytes, name; empty for none
 *   FAULT_KIND    count only this kind: write sync create rename unlink truncate; empty for all
 *   FAULT_AT      the number of the call to spoil; 0 for none
 *   FAULT_TIMES   how many calls from that one on are spoiled
 *   FAULT_ACTION  before | middle | after: SIGKILL there; short: half the bytes; else an errno
 *   FAULT_GROUP   1: kill the whole process group, snapshot process and all
 *
 * The calls themselves are made by syscall(2), so nothing below this file is needed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct state {
    uint64_t calls;    /* counted so far */
    uint64_t fired;    /* calls that were spoiled */
    uint64_t fired_ns; /* when the first was, CLOCK_MONOTONIC */
};

enum action { NOTHING, BEFORE, MIDDLE, AFTER, SHORT, ERROR };

struct plan {
    struct state *state;
    char directory[4096];
    size_t directory_length;
    char kind[16];
    uint64_t at, times;
    enum action action;
    int error, group, trace;
};

static struct plan plan;
static int armed;

static enum action action_named(const char *name, int *error)
{
    if (!strcmp(name, "before")) return BEFORE;
    if (!strcmp(name, "middle")) return MIDDLE;
    if (!strcmp(name, "after")) return AFTER;
    if (!strcmp(name, "short")) return SHORT;
    *error = atoi(name);
    return *error ? ERROR : NOTHING;
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* Read the plan if there is one. Two threads that do so at once read the same. */
static int arm(void)
{
    if (__atomic_load_n(&armed, __ATOMIC_ACQUIRE)) return 1;
    const char *directory = getenv("FAULT_DIR");
    if (!directory || !*directory || strlen(directory) >= sizeof plan.directory) return 0;
    int file = syscall(SYS_openat, AT_FDCWD, setting("FAULT_STATE"), O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return 0;
    struct state *state =
        mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (state == MAP_FAILED) return 0;
    strcpy(plan.directory, directory);
    plan.directory_length = strlen(directory);
    strncpy(plan.kind, setting("FAULT_KIND"), sizeof plan.kind - 1);
    plan.at = strtoull(setting("FAULT_AT"), NULL, 10);
    plan.times = strtoull(setting("FAULT_TIMES"), NULL, 10);
    plan.action = action_named(setting("FAULT_ACTION"), &plan.error);
    plan.group = *setting("FAULT_GROUP") == '1';
    plan.trace = -1;
    if (*setting("FAULT_TRACE"))
        plan.trace = syscall(SYS_openat, AT_FDCWD, setting("FAULT_TRACE"),
                             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    plan.state = state;
    __atomic_store_n(&armed, 1, __ATOMIC_RELEASE);
    return 1;
}

static int below(const char *path)
{
    size_t length = plan.directory_length;
    return !strncmp(path, plan.directory, length) && (path[length] == '/' || !path[length]);
}

/* The absolute path of a descriptor, "" if it has none. */
static void path_of(int descriptor, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
}

/* The absolute path of a name in a directory; the working directory is AT_FDCWD. */
static void path_at(int directory, const char *name, char *path, size_t size)
{
    char base[4096];
    if (*name == '/') {
        snprintf(path, size, "%s", name);
        return;
    }
    if (directory == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) < 0) base[0] = 0;
    } else {
        path_of(directory, base, sizeof base);
    }
    snprintf(path, size, "%.4000s/%.4000s", base, name);
}

static void die(void)
{
    kill(plan.group ? 0 : getpid(), SIGKILL);
    for (;;) pause();
}

/* Count a call; say what is to be done with it. */
static enum action count(const char *kind, const char *path, long bytes)
{
    if (*plan.kind && strcmp(plan.kind, kind)) return NOTHING;
    uint64_t number = __atomic_add_fetch(&plan.state->calls, 1, __ATOMIC_SEQ_CST);
    if (plan.trace >= 0) {
        char line[512];
        const char *name = strrchr(path, '/');
        int length = snprintf(line, sizeof line, "%llu %s %ld %.300s\n",
                              (unsigned long long)number, kind, bytes, name ? name + 1 : path);
        syscall(SYS_write, plan.trace, line, length);
    }
    if (!plan.at || number < plan.at || number - plan.at >= plan.times) return NOTHING;
    if (!__atomic_fetch_add(&plan.state->fired, 1, __ATOMIC_SEQ_CST)) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        plan.state->fired_ns = (uint64_t)now.tv_sec * 1000000000u + now.tv_nsec;
    }
    if (plan.action == BEFORE) die();
    return plan.action;
}

static enum action count_descriptor(const char *kind, int descriptor, long bytes)
{
    char path[4096];
    if (!arm()) return NOTHING;
    path_of(descriptor, path, sizeof path);
    return below(path) ? count(kind, path, bytes) : NOTHING;
}

static enum action count_name(const char *kind, int directory, const char *name)
{
    char path[8192];
    if (!arm()) return NOTHING;
    path_at(directory, name, path, sizeof path);
    return below(path) ? count(kind, path, 0) : NOTHING;
}

static long fail(void)
{
    errno = plan.error;
    return -1;
}

/* A call that is done or not: killed in the middle, it is done. */
#define WHOLE(counted, call)                                        \
    do {                                                            \
        enum action wanted = (counted);                             \
        if (wanted == ERROR) return fail();                         \
        long result = (call);                                       \
        if (wanted == MIDDLE || wanted == AFTER) die();             \
        return result;                                              \
    } while (0)

/* A call that moves bytes: `half` makes half of it. */
#define PARTS(counted, call, half)                                  \
    do {                                                            \
        enum action wanted = (counted);                             \
        if (wanted == ERROR) return fail();                         \
        if (wanted == SHORT) return half;                           \
        if (wanted == MIDDLE) {                                     \
            if (half < 0) {}                                        \
            die();                                                  \
        }                                                           \
        long result = (call);                                       \
        if (wanted == AFTER) die();                                 \
        return result;                                              \
    } while (0)

ssize_t write(int file, const void *data, size_t size)
{
    PARTS(count_descriptor("write", file, size), syscall(SYS_write, file, data, size),
          syscall(SYS_write, file, data, size / 2));
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
    PARTS(count_descriptor("write", file, size), syscall(SYS_pwrite64, file, data, size, offset),
          syscall(SYS_pwrite64, file, data, size / 2, offset));
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    return pwrite64(file, data, size, offset);
}

/* Half of several buffers is the first of them, or half of the only one. */
ssize_t writev(int file, const struct iovec *parts, int many)
{
    PARTS(count_descriptor("write", file, many), syscall(SYS_writev, file, parts, many),
          syscall(SYS_write, file, parts->iov_base, parts->iov_len / (many > 1 ? 1 : 2)));
}

ssize_t pwritev64(int file, const struct iovec *parts, int many, off64_t offset)
{
    PARTS(count_descriptor("write", file, many),
          syscall(SYS_pwritev, file, parts, many, offset, 0),
          syscall(SYS_pwrite64, file, parts->iov_base, parts->iov_len / (many > 1 ? 1 : 2),
                  offset));
}

ssize_t pwritev(int file, const struct iovec *parts, int many, off_t offset)
{
    return pwritev64(file, parts, many, offset);
}

int fsync(int file)
{
    WHOLE(count_descriptor("sync", file, 0), syscall(SYS_fsync, file));
}

int fdatasync(int file)
{
    WHOLE(count_descriptor("sync", file, 0), syscall(SYS_fdatasync, file));
}

int ftruncate64(int file, off64_t length)
{
    WHOLE(count_descriptor("truncate", file, length), syscall(SYS_ftruncate, file, length));
}

int ftruncate(int file, off_t length)
{
    return ftruncate64(file, length);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    WHOLE(count_name("rename", to_dir, to),
          syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int directory, const char *name, int flags)
{
    WHOLE(count_name("unlink", directory, name), syscall(SYS_unlinkat, directory, name, flags));
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int directory, const char *name, mode_t mode)
{
    WHOLE(count_name("create", directory, name), syscall(SYS_mkdirat, directory, name, mode));
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

/* Opening counts where it may make a file. */
static int open_at(int directory, const char *name, int flags, mode_t mode)
{
    if (!(flags & (O_CREAT | O_TRUNC)))
        return syscall(SYS_openat, directory, name, flags, mode);
    WHOLE(count_name("create", directory, name),
          syscall(SYS_openat, directory, name, flags, mode));
}

#define MODE_OF(last)                                               \
    mode_t mode = 0;                                                \
    if (last & (O_CREAT | O_TMPFILE)) {                             \
        va_list rest;                                               \
        va_start(rest, last);                                       \
        mode = va_arg(rest, mode_t);                                \
        va_end(rest);                                               \
    }

int open(const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(AT_FDCWD, name, flags, mode);
}

int openat(int directory, const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(directory, name, flags, mode);
}

int openat64(int directory, const char *name, int flags, ...)
{
    MODE_OF(flags)
    return open_at(directory, name, flags, mode);
}
