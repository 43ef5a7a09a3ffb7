/* What a power cut would leave: at each fsync and fdatasync a copy of the file as it is then, in $SYNCED_TO/NAME.

   NAME is its device, inode and time of birth, for an inode that is free again is given to the next file. The copy is made
   before the system is asked and named after it has said yes, so what is written meanwhile does not count as synced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONG = 4096, PIECE = 1 << 16 };

/* The copy's name of a path, or of a descriptor (path ""); -1 where it is no regular file. */
int synced_name(int number, const char *path, char *name) {
    struct statx is;
    int flags = *path ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
    if (statx(*path ? AT_FDCWD : number, path, flags, STATX_BASIC_STATS | STATX_BTIME, &is) || !S_ISREG(is.stx_mode)) return -1;
    snprintf(name, 100, "%x.%x-%llx-%llx.%x", is.stx_dev_major, is.stx_dev_minor, (unsigned long long)is.stx_ino,
             (unsigned long long)is.stx_btime.tv_sec, is.stx_btime.tv_nsec);
    return 0;
}

static int copied(int from, const char *to) {
    static __thread char piece[PIECE];
    int into = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), good = into >= 0;
    off_t at = 0;
    ssize_t n = 0;
    while (good && (n = pread(from, piece, PIECE, at)) > 0) {
        good = write(into, piece, n) == n;
        at += n;
    }
    if (into >= 0) close(into);
    return good && n == 0;
}

/* A file that is open for reading is read where it is open: closing it once more would let go of the locks of SQLite. */
static int copy(int number, const char *to) {
    char path[64];
    if ((fcntl(number, F_GETFL) & O_ACCMODE) != O_WRONLY) return copied(number, to);
    snprintf(path, sizeof path, "/proc/self/fd/%d", number);
    int from = open(path, O_RDONLY | O_CLOEXEC), good = from >= 0 && copied(from, to);
    if (from >= 0) close(from);
    return good;
}

static int synced(int number, const char *call) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
    char name[100], whole[LONG], part[LONG];
    const char *folder = getenv("SYNCED_TO");
    int kept = folder && !synced_name(number, "", name);
    if (kept) {
        snprintf(whole, LONG, "%s/%s", folder, name);
        snprintf(part, LONG, "%s/.%s.%d", folder, name, gettid());
        kept = copy(number, part);
    }
    int code = real(number);
    if (kept && (code ? unlink(part) : rename(part, whole))) return -1;
    return code;
}

int fsync(int number) { return synced(number, "fsync"); }
int fdatasync(int number) { return synced(number, "fdatasync"); }
