# Functions for the scripts beside it.

fail() {
    echo "tests/servers: $*" >&2
    exit 1
}

# Does the process of PIDFILE live? Only what names DIR on its command line is ours: the number may be another's by now,
# and a zombie has no command line.
alive() { # PIDFILE, DIR
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# Sends SIGNAL, wakes a stopped process, waits SECONDS, then kills.
end_process() { # PIDFILE, DIR, SIGNAL, SECONDS
    alive "$1" "$2" || return 0
    kill -s "$3" "$pid" 2>/dev/null || return 0
    kill -s CONT "$pid" 2>/dev/null || :
    turns=$(($4 * 20))
    while [ "$turns" -gt 0 ] && alive "$1" "$2"; do
        sleep 0.05
        turns=$((turns - 1))
    done
    alive "$1" "$2" || return 0
    kill -s KILL "$pid" 2>/dev/null || :
    while alive "$1" "$2"; do sleep 0.05; done
}

# Waits until URL answers anything at all, at most SECONDS.
wait_for() { # URL, SECONDS
    turns=$(($2 * 10))
    until curl -s -k --max-time 2 -o /dev/null "$1"; do
        turns=$((turns - 1))
        [ "$turns" -gt 0 ] || return 1
        sleep 0.1
    done
}
