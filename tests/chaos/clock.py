"""A wall clock that can be stepped, for one process and its children: a library that is loaded before the others.

It changes what `clock_gettime(CLOCK_REALTIME)`, `gettimeofday` and `time` say, for Python and the JVM alike. The steady
clock stays as it is, as it does when an operator or NTP sets a machine's time.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long *shift;  /* seconds */

static long now_shifted(void) {
    static const volatile long none = 0;
    if (!shift) {
        const char *path = getenv("CHAOS_CLOCK");
        int file = path ? open(path, O_RDONLY) : -1;
        void *seen = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
        shift = seen == MAP_FAILED ? &none : seen;
    }
    return *shift;
}

int clock_gettime(clockid_t which, struct timespec *at) {
    int code = syscall(SYS_clock_gettime, which, at);
    if (code == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += now_shifted();
    return code;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


class SteppedClock:
    """The clock of processes that are started with `environment`.

    Raises:
        FileNotFoundError: There is no C compiler.
    """

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise FileNotFoundError("a C compiler (cc) is needed to step the clock of a process")
        source, library = directory / "clock.c", directory / "clock.so"
        source.write_text(_SOURCE)
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        self._shift = directory / "clock.shift"
        self.step_to(0)
        self.environment = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self._shift)}

    def step_to(self, seconds: int) -> None:
        """Let the processes' wall clock differ by so many seconds from the true time."""
        # Written in place: the processes have the file mapped.
        with self._shift.open("r+b" if self._shift.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))
