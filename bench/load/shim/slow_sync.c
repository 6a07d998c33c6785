/* slow-sync MICROSECONDS COMMAND [ARGUMENT...]
 *
 * Runs a command with a pause added before each of its fsync, fdatasync and sync_file_range calls, as if on a slower
 * disk. A seccomp filter hands these calls, and only these, to a supervisor that sleeps and then lets the kernel go on
 * with them. That catches what a preloaded library cannot: programs that make system calls without libc, as Go's do.
 * Every store is slowed by this one program, so that none gains by the way it is slowed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* More pauses than this at once wait for each other; no store here syncs from more threads. */
enum { SUPERVISOR_THREADS = 16 };

/* The memory carries `listener` over, the descriptor table the listener itself; executing the command ends both. */
enum { SHARED = CLONE_FILES | CLONE_VM, STACK = 1 << 20 };

static volatile int listener = -1;
static long pause_us;

static void die(const char *what) {
    fprintf(stderr, "slow-sync: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void *supervise(void *unused) {
    (void)unused;
    for (;;) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        if (poll(&ready, 1, -1) < 0 && errno != EINTR) return NULL;
        if (ready.revents & POLLHUP) _exit(0); /* the command and all its children are gone */
        if (!(ready.revents & POLLIN)) continue;
        struct seccomp_notif call;
        memset(&call, 0, sizeof call);
        /* Another thread may have taken it, or its caller may have died: both are no call for this thread. */
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) continue;
        struct timespec left = {pause_us / 1000000, pause_us % 1000000 * 1000};
        while (nanosleep(&left, &left) < 0 && errno == EINTR) {
        }
        struct seccomp_notif_resp go_on = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on);
    }
}

/* Shares the descriptor table with the command until that one executes, and so sees the listener it opens. */
static int supervisor(void *go) {
    char byte;
    prctl(PR_SET_NAME, "slow-sync");
    setsid(); /* a signal to the command's group is not meant for it */
    if (read(*(int *)go, &byte, 1) != 1) _exit(0);
    pthread_t thread;
    for (int i = 1; i < SUPERVISOR_THREADS; i++)
        if (pthread_create(&thread, NULL, supervise, NULL) != 0) _exit(125);
    supervise(NULL);
    _exit(0);
}

/* Starts the supervisor and leaves it to init, so that it counts as no child of the command. */
static int between(void *go) {
    char *stack = malloc(STACK);
    if (!stack || clone(supervisor, stack + STACK, SHARED | SIGCHLD, go) < 0) _exit(125);
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc < 3 || (pause_us = atol(argv[1])) <= 0) {
        fprintf(stderr, "usage: slow-sync MICROSECONDS COMMAND [ARGUMENT...]\n");
        return 125;
    }
#define HAND_OVER(call) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        HAND_OVER(SYS_fsync),
        HAND_OVER(SYS_fdatasync),
        HAND_OVER(SYS_sync_file_range),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof rules / sizeof *rules, rules};

    int go[2];
    if (pipe(go) < 0) die("pipe");
    char *stack = malloc(STACK);
    if (!stack) die("malloc");
    pid_t child = clone(between, stack + STACK, SHARED | SIGCHLD, go);
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) die("clone");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) die("no_new_privs");
    listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
    if (listener < 0) die("seccomp");
    if (write(go[1], "g", 1) != 1) die("pipe");
    execvp(argv[2], argv + 2);
    die(argv[2]);
}
