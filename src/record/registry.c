#include "record/registry.h"

#include "base/clock.h"
#include "base/text.h"
#include "mark/mark.h"
#include "record/privileges.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Answers in a second: ranks enough for any node, and a flood of questions costs little. */
#define ANSWERS_A_SECOND 1024
#define WAITING          SOMAXCONN
#define TRY_AGAIN_NS     (NS_PER_S / 200)

struct registry {
    int listening[2]; /* the machine's name, the job's; -1: another holds it */
    int quit;
    char *answer;
    pthread_t thread;
    bool running;
    bool own_process;
    pthread_mutex_t lock; /* guards what follows */
    struct registry_peer later;
    size_t later_count;
};

/* ---- names ---- */

struct name {
    struct sockaddr_un address;
    socklen_t size;
};

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/: what is hashed may be longer than a socket's name. Two
 * jobs with one hash are told apart by the answer. */
static uint64_t hash(uint64_t state, const char *string)
{
    for (; *string; string++)
        state = (state ^ (unsigned char)*string) * 1099511628211U;
    return state;
}

/* The names of the user's own jobs have the user in them: others can't take them by accident. */
static struct name make_name(const char *machine, const char *job)
{
    struct name name = {.address.sun_family = AF_UNIX};
    uint64_t state = hash(14695981039346656037U, machine);
    if (job)
        state = hash(state * 31, job);
    struct text text = TEXT_INIT;
    if (job)
        text_printf(&text, "joulery/job/1/%lu/%016llx", (unsigned long)getuid(), (unsigned long long)state);
    else if (strcmp(machine, "/sys") == 0)
        text_append(&text, "joulery/recorder/1");
    else
        text_printf(&text, "joulery/recorder/1/%016llx", (unsigned long long)state);
    if (text.data && !text.failed && text.length < sizeof name.address.sun_path) {
        memcpy(name.address.sun_path + 1, text.data, text.length); /* the first byte, 0, makes it abstract */
        name.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + text.length);
    }
    text_free(&text);
    return name;
}

/* A listening socket; -1 and errno. */
static int take_name(const struct name *name)
{
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    if (name->size && bind(descriptor, (const struct sockaddr *)&name->address, name->size) == 0 &&
        listen(descriptor, WAITING) == 0)
        return descriptor;
    int number = errno;
    close(descriptor);
    errno = number;
    return -1;
}

/* ---- the holder's end ---- */

static char *make_answer(const struct registry_options *options)
{
    json_t *json =
        json_pack("{s:i, s:s*, s:s*}", "recorder", 1, "job", options->job, "marks", options->marks);
    char *answer = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (answer && strlen(answer) <= REGISTRY_ANSWER_MOST)
        return answer;
    free(answer);
    return strdup("{\"recorder\":1}");
}

/* The kernel tells the effective ids that the other had when it connected or listened. Those are its real
 * ones: Joulery has others only while it opens instruments (privileges.h). A set-uid program of another kind
 * is not taken for its caller. */
static bool is_ours(int descriptor, struct ucred *who)
{
    socklen_t size = sizeof *who;
    *who = (struct ucred){.uid = (uid_t)-1};
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, who, &size) == 0 && who->uid == getuid();
}

/* Who asks for the machine measures it beside us; ranks of our job ask for the job. */
static void remember(struct registry *registry, const struct ucred *who)
{
    pthread_mutex_lock(&registry->lock);
    if (registry->later_count++ == 0)
        registry->later = (struct registry_peer){.role = REGISTRY_BESIDE, .pid = who->pid, .uid = who->uid};
    pthread_mutex_unlock(&registry->lock);
}

static void answer_one(struct registry *registry, size_t name)
{
    struct ucred who;
    int descriptor = accept4(registry->listening[name], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0)
        return;
    bool ours = is_ours(descriptor, &who);
    if (name == 0)
        remember(registry, &who);
    if (ours) {
        /* fails only for one that has gone */
        ssize_t sent = send(descriptor, registry->answer, strlen(registry->answer), MSG_NOSIGNAL);
        (void)sent;
    }
    close(descriptor);
}

static void *answer_all(void *argument)
{
    struct registry *registry = argument;
    struct pollfd events[] = {{.fd = registry->quit, .events = POLLIN},
                              {.fd = registry->listening[0], .events = POLLIN},
                              {.fd = registry->listening[1], .events = POLLIN}};
    int64_t second_ns = clock_boot_ns();
    unsigned answers = 0;
    if (registry->own_process)
        privileges_drop_thread();
    while (poll(events, 3, -1) >= 0 || errno == EINTR) {
        if (events[0].revents)
            break;
        if (clock_boot_ns() - second_ns > NS_PER_S) {
            second_ns = clock_boot_ns();
            answers = 0;
        }
        if (answers >= ANSWERS_A_SECOND) {
            int64_t left_ns = second_ns + NS_PER_S - clock_boot_ns();
            poll(events, 1, (int)(left_ns / 1000000) + 1);
            continue;
        }
        for (size_t i = 0; i < 2; i++, answers++)
            if (events[1 + i].revents)
                answer_one(registry, i);
    }
    return NULL;
}

static int start_thread(struct registry *registry)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&registry->thread, NULL, answer_all, registry);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    registry->running = number == 0;
    return number;
}

/* ---- the asker's end ---- */

static int take_string(const json_t *json, const char *name, char **value, struct error *error)
{
    const json_t *member = json_object_get(json, name);
    if (!member)
        return 0;
    const char *string = json_string_value(member);
    if (!string || !string[0])
        return error_set(error, "recorder: expected \"%s\" to be a string with something in it", name);
    *value = strdup(string);
    return *value ? 0 : error_memory(error, "recorder");
}

static int check_answer(const json_t *json, struct registry_answer *answer, struct error *error)
{
    if (!json_is_object(json) || json_integer_value(json_object_get(json, "recorder")) != 1)
        return error_set(error, "recorder: expected an object with \"recorder\": 1");
    if (take_string(json, "job", &answer->job, error) < 0 ||
        take_string(json, "marks", &answer->marks, error) < 0)
        return -1;
    if (answer->marks &&
        (answer->marks[0] != '/' || strlen(answer->marks) >= sizeof((struct sockaddr_un *)NULL)->sun_path))
        return error_set(error, "recorder: expected \"marks\" to be the whole path of a socket");
    return 0;
}

int registry_parse_answer(const char *bytes, size_t size, struct registry_answer *answer, struct error *error)
{
    *answer = (struct registry_answer){0};
    if (size > REGISTRY_ANSWER_MOST)
        return error_set(error, "recorder: an answer of more than %d bytes", REGISTRY_ANSWER_MOST);
    json_error_t wrong;
    json_t *json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &wrong);
    if (!json)
        return error_set(error, "recorder: not JSON: %s", wrong.text);
    int result = check_answer(json, answer, error);
    json_decref(json);
    if (result < 0)
        registry_answer_free(answer);
    return result;
}

void registry_answer_free(struct registry_answer *answer)
{
    free(answer->job);
    free(answer->marks);
    *answer = (struct registry_answer){0};
}

static int connect_to(int kind, const struct sockaddr_un *address, socklen_t size)
{
    int descriptor = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor >= 0 && connect(descriptor, (const struct sockaddr *)address, size) < 0) {
        close(descriptor);
        descriptor = -1;
    }
    return descriptor;
}

static int connect_to_marks(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || path[0] != '/' || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect_to(SOCK_DGRAM, &address, sizeof address);
}

/* What the holder of our own user says; nothing if it keeps silent or talks nonsense. */
static void hear(int descriptor, int64_t deadline_ns, struct registry_answer *answer)
{
    struct pollfd event = {.fd = descriptor, .events = POLLIN};
    char buffer[REGISTRY_ANSWER_MOST + 1];
    struct error ignored = ERROR_INIT;
    int64_t left_ns = deadline_ns - clock_boot_ns();
    ssize_t size = -1;
    if (poll(&event, 1, left_ns > 0 ? (int)(left_ns / 1000000) : 0) == 1)
        size = recv(descriptor, buffer, sizeof buffer, MSG_DONTWAIT | MSG_TRUNC);
    if (size > 0)
        registry_parse_answer(buffer, (size_t)size, answer, &ignored);
    error_clear(&ignored);
}

static void meet(int descriptor, int64_t deadline_ns, struct registry_peer *peer,
                 struct registry_answer *answer)
{
    struct ucred who;
    bool ours = is_ours(descriptor, &who);
    peer->pid = who.pid;
    peer->uid = who.uid;
    if (ours)
        hear(descriptor, deadline_ns, answer);
}

/* Our listening socket, or -1: the name is another's, who is described as far as can be (`*taken`), or can't
 * be had at all. */
static int take_or_meet(const struct name *name, int64_t deadline_ns, bool *taken, struct registry_peer *peer,
                        struct registry_answer *answer)
{
    for (;;) {
        int listening = take_name(name);
        *taken = listening < 0 && errno == EADDRINUSE;
        if (!*taken)
            return listening;
        int descriptor = connect_to(SOCK_SEQPACKET, &name->address, name->size);
        if (descriptor >= 0) {
            meet(descriptor, deadline_ns, peer, answer);
            close(descriptor);
            return -1;
        }
        /* it does not listen yet, has just ended, or too many are asking it */
        if (clock_boot_ns() >= deadline_ns)
            return -1;
        clock_sleep_until(clock_boot_ns() + TRY_AGAIN_NS);
    }
}

/* ---- entering ---- */

/* The recorder that we run in, if it still takes marks. */
static bool join_outer(struct registry_peer *peer)
{
    const char *marks = getenv(MARK_SOCKET_VARIABLE), *pid = getenv(RECORDER_PID_VARIABLE);
    int descriptor = connect_to_marks(marks);
    int64_t number = 0;
    if (descriptor < 0)
        return false;
    close(descriptor);
    peer->marks = strdup(marks);
    if (pid && text_to_i64(pid, &number) == 0 && number > 0 && number <= INT32_MAX)
        peer->pid = (pid_t)number;
    peer->uid = getuid();
    peer->role = REGISTRY_JOINED;
    return true;
}

/* True: it is joined. */
static bool register_job(struct registry *registry, const struct registry_options *options,
                         const char *machine, int64_t deadline_ns, struct registry_peer *peer)
{
    struct registry_answer answer = {0};
    struct name name = make_name(machine, options->job);
    bool taken;
    registry->listening[1] = take_or_meet(&name, deadline_ns, &taken, peer, &answer);
    if (taken && answer.job && strcmp(answer.job, options->job) == 0) {
        peer->role = REGISTRY_JOINED;
        peer->marks = answer.marks;
        answer.marks = NULL;
    }
    registry_answer_free(&answer);
    return peer->role == REGISTRY_JOINED;
}

static void register_machine(struct registry *registry, const char *machine, int64_t deadline_ns,
                             struct registry_peer *peer)
{
    struct registry_answer unused = {0};
    struct name name = make_name(machine, NULL);
    bool taken;
    *peer = (struct registry_peer){.uid = (uid_t)-1};
    registry->listening[0] = take_or_meet(&name, deadline_ns, &taken, peer, &unused);
    peer->role = taken ? REGISTRY_BESIDE : REGISTRY_ALONE;
    registry_answer_free(&unused);
}

static bool serve(struct registry *registry, const struct registry_options *options)
{
    if (registry->listening[0] < 0 && registry->listening[1] < 0)
        return false;
    registry->quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    registry->answer = make_answer(options);
    return registry->quit >= 0 && registry->answer && start_thread(registry) == 0;
}

struct registry *registry_enter(const struct registry_options *options, struct registry_peer *peer)
{
    *peer = (struct registry_peer){.uid = (uid_t)-1};
    if (!options->apart && join_outer(peer))
        return NULL;
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return NULL;
    *registry = (struct registry){
        .listening = {-1, -1}, .quit = -1, .own_process = options->setup && options->setup->own_process};
    pthread_mutex_init(&registry->lock, NULL);
    const char *machine = meter_sysfs(options->setup);
    int64_t deadline_ns = clock_boot_ns() + REGISTRY_PATIENCE_NS;
    bool joined =
        options->job && !options->apart && register_job(registry, options, machine, deadline_ns, peer);
    if (!joined) {
        register_machine(registry, machine, deadline_ns, peer);
        if (serve(registry, options))
            return registry;
    }
    registry_leave(registry);
    return NULL;
}

void registry_leave(struct registry *registry)
{
    if (!registry)
        return;
    if (registry->running) {
        ssize_t written = write(registry->quit, &(uint64_t){1}, sizeof(uint64_t));
        (void)written; /* into an empty counter */
        pthread_join(registry->thread, NULL);
    }
    const int open[] = {registry->listening[0], registry->listening[1], registry->quit};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (open[i] >= 0)
            close(open[i]);
    pthread_mutex_destroy(&registry->lock);
    free(registry->answer);
    free(registry);
}

/* ---- the peer ---- */

bool registry_peer_lives(const struct registry_peer *peer)
{
    int descriptor = connect_to_marks(peer->marks);
    if (descriptor >= 0)
        close(descriptor);
    return descriptor >= 0;
}

#define PASSWD_BYTES_MOST (1U << 20)

/* The number where the name is not known. */
static char *user_name(uid_t uid)
{
    char *name = NULL;
    int number = ERANGE;
    for (size_t room = 1024; number == ERANGE && room <= PASSWD_BYTES_MOST; room *= 2) {
        struct passwd entry, *found = NULL;
        AUTO_FREE char *bytes = malloc(room);
        number = bytes ? getpwuid_r(uid, &entry, bytes, room, &found) : ENOMEM;
        name = number == 0 && found ? text_printable(entry.pw_name) : NULL;
    }
    return name ? name : text_format("%lu", (unsigned long)uid);
}

static char *who_is(const struct registry_peer *peer)
{
    if (peer->uid == (uid_t)-1)
        return strdup("");
    AUTO_FREE char *user = user_name(peer->uid);
    if (peer->pid <= 0)
        return text_format(" (in another container, user %s)", user ? user : "?");
    return text_format(" (pid %ld, user %s)", (long)peer->pid, user ? user : "?");
}

char *registry_note(const struct registry_peer *peer)
{
    if (peer->role == REGISTRY_ALONE)
        return NULL;
    if (peer->role == REGISTRY_JOINED && peer->pid > 0)
        return text_format("joined recorder pid %ld: this machine's energy is in its record",
                           (long)peer->pid);
    if (peer->role == REGISTRY_JOINED)
        return strdup("joined the recorder that this one was started in: this machine's energy is in its "
                      "record");
    AUTO_FREE char *who = who_is(peer);
    return text_format("another recorder%s measures this machine at the same time: don't add its energy to "
                       "this one's",
                       who ? who : "");
}

char *registry_later_note(struct registry *registry)
{
    if (!registry)
        return NULL;
    pthread_mutex_lock(&registry->lock);
    struct registry_peer later = registry->later;
    size_t count = registry->later_count;
    pthread_mutex_unlock(&registry->lock);
    if (count == 0)
        return NULL;
    AUTO_FREE char *who = who_is(&later);
    if (count == 1)
        return text_format("another recorder%s began to measure this machine meanwhile: don't add its energy "
                           "to this one's",
                           who ? who : "");
    return text_format("%zu other recorders began to measure this machine meanwhile, the first%s: don't add "
                       "their energy to this one's",
                       count, who ? who : "");
}

void registry_peer_free(struct registry_peer *peer)
{
    free(peer->marks);
    *peer = (struct registry_peer){.uid = (uid_t)-1};
}
