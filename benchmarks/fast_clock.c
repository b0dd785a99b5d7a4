/* A clock that runs faster, for programs started with this library in LD_PRELOAD.
 *
 * FAST_CLOCK="REAL FAKE RATE": at the real instant REAL (nanoseconds since 1970) it shows FAKE, and goes on RATE times
 * as fast. Only the date is changed: monotonic clocks, sleeps and the time limits of sockets stay as they are. Waits
 * until a date are waits until the real instant at which the clock shows it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
static long long real_begin, fake_begin, rate = 1;

__attribute__((constructor)) static void begin(void) {
    char *text = getenv("FAST_CLOCK");
    if (text) {
        real_begin = strtoll(text, &text, 10);
        fake_begin = strtoll(text, &text, 10);
        rate = strtoll(text, &text, 10);
    }
}

static struct timespec to_fake(struct timespec at) {
    long long now = at.tv_sec * SECOND + at.tv_nsec;
    long long shown = fake_begin + (now - real_begin) * rate;
    return (struct timespec){shown / SECOND, shown % SECOND};
}

static struct timespec to_real(const struct timespec *until) {
    /* A monotonic deadline counts from the machine's start. */
    if (until->tv_sec < 1000000000LL) return *until;
    long long shown = until->tv_sec * SECOND + until->tv_nsec;
    long long real = real_begin + (shown - fake_begin) / rate;
    return (struct timespec){real / SECOND, real % SECOND};
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (syscall(SYS_clock_gettime, clock, at)) return -1;
    if (rate != 1 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *at = to_fake(*at);
    return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *at = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *at, int base) {
    clock_gettime(CLOCK_REALTIME, at);
    return base;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    struct timespec real = to_real(until);
    if (!wait) wait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    return wait(condition, mutex, &real);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    static int (*wait)(sem_t *, const struct timespec *);
    struct timespec real = to_real(until);
    if (!wait) wait = dlsym(RTLD_NEXT, "sem_timedwait");
    return wait(semaphore, &real);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until) {
    static int (*lock)(pthread_mutex_t *, const struct timespec *);
    struct timespec real = to_real(until);
    if (!lock) lock = dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
    return lock(mutex, &real);
}
