/* A wall clock that can be set for one experiment alone, loaded in front of the C library (LD_PRELOAD).
 *
 * The file named by the variable LABORATORY_CLOCK holds one number of 64 bits: by so many seconds the wall clock is moved. The
 * file is mapped, so a change is seen at once by all who run. Other clocks go on as they are, as when somebody sets the time.
 *
 * Times of files are kept by the kernel, on the clock that was not moved, so they are moved on their way in and out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none = 0;
static const volatile int64_t *moved = &none;

__attribute__((constructor)) static void map_the_file(void)
{
    const char *path = getenv("LABORATORY_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *place = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (place != MAP_FAILED)
        moved = place;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *moved;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int result = syscall(SYS_gettimeofday, now, zone);
    if (result == 0)
        now->tv_sec += *moved;
    return result;
}

time_t time(time_t *place)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place)
        *place = now.tv_sec;
    return now.tv_sec;
}

int statx(int directory, const char *restrict path, int flags, unsigned mask, struct statx *restrict found)
{
    int result = syscall(SYS_statx, directory, path, flags, mask, found);
    if (result == 0) {
        found->stx_atime.tv_sec += *moved;
        found->stx_mtime.tv_sec += *moved;
        found->stx_ctime.tv_sec += *moved;
        found->stx_btime.tv_sec += *moved;
    }
    return result;
}

static int set_times(int directory, const char *path, const struct timespec times[2], int flags)
{
    struct timespec kept[2];
    for (int i = 0; times && i < 2; i++) {
        kept[i] = times[i];
        if (kept[i].tv_nsec != UTIME_NOW && kept[i].tv_nsec != UTIME_OMIT)
            kept[i].tv_sec -= *moved;
    }
    return syscall(SYS_utimensat, directory, path, times ? kept : NULL, flags);
}

int utimensat(int directory, const char *path, const struct timespec times[2], int flags)
{
    return set_times(directory, path, times, flags);
}

int futimens(int file, const struct timespec times[2])
{
    return set_times(file, NULL, times, 0);
}
