/* Rates per client: GCRA times in shared memory, in small sets that each have a lock of their own.
 */
#include "rate_limits.h"

#include "log.h"
#include "plugin.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#define LIMITS_MAGIC UINT64_C(0x76766c696d31) /* changes with the layout */
#define LIMITS_SETS  16384
#define LIMITS_WAYS  7
#define LIMITS_STEAL 100000 /* microseconds: a set is never held for long by anyone alive */

struct limits_entry {
    uint64_t key; /* 0: free */
    int64_t time; /* GCRA's theoretical arrival time, steady clock; in the past = no news */
};

struct limits_set {
    _Atomic int64_t owner; /* the pid that changes it; 0 = nobody */
    int64_t unused;
    struct limits_entry entries[LIMITS_WAYS];
};

struct limits_table {
    uint64_t magic;
    uint64_t secret[2];
    uint64_t unused[5];
    struct limits_set sets[LIMITS_SETS];
};

static struct limits_table *limits_shared;

static uint64_t limits_rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void limits_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = limits_rotate(v[1], 13) ^ v[0];
    v[0] = limits_rotate(v[0], 32);
    v[2] += v[3];
    v[3] = limits_rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = limits_rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = limits_rotate(v[1], 17) ^ v[2];
    v[2] = limits_rotate(v[2], 32);
}

/* SipHash-2-4: nobody who does not know the secret can aim at a set. */
uint64_t vv_limits_hash(const uint64_t secret[2], const uint8_t *bytes, size_t length)
{
    uint64_t v[4] = {
        secret[0] ^ UINT64_C(0x736f6d6570736575), secret[1] ^ UINT64_C(0x646f72616e646f6d),
        secret[0] ^ UINT64_C(0x6c7967656e657261), secret[1] ^ UINT64_C(0x7465646279746573)};
    size_t i, k, whole = length & ~(size_t)7;
    uint64_t word;

    for (i = 0; i <= whole; i += 8) {
        word = i < whole ? 0 : (uint64_t)length << 56;
        for (k = 0; k < 8 && i + k < length; k++)
            word |= (uint64_t)bytes[i + k] << (8 * k);
        v[3] ^= word;
        limits_round(v);
        limits_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (i = 0; i < 4; i++)
        limits_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct limits_table *limits_map(int fd)
{
    int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    void *at = mmap(NULL, sizeof(struct limits_table), PROT_READ | PROT_WRITE, flags, fd, 0);

    return at == MAP_FAILED ? NULL : at; /* cppcheck-suppress memleak */
}

static void limits_begin(struct limits_table *table)
{
    vv_random_bytes(table->secret, sizeof table->secret);
    table->magic = LIMITS_MAGIC;
}

int vv_limits_create(void)
{
    int fd = memfd_create("vv-limits", MFD_CLOEXEC);
    struct limits_table *table;

    if (fd < 0)
        return -1;
    if (ftruncate(fd, sizeof *table) != 0 || (table = limits_map(fd)) == NULL) {
        close(fd);
        return -1;
    }
    limits_begin(table);
    munmap(table, sizeof *table);
    return fd;
}

void vv_limits_attach(int fd)
{
    struct limits_table *table = NULL;
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

    if (size == (off_t)sizeof *table)
        table = limits_map(fd);
    if (table != NULL && table->magic != LIMITS_MAGIC) {
        munmap(table, sizeof *table);
        table = NULL;
    }
    if (table == NULL) { /* none, or of a server whose table looks different: one of our own */
        table = limits_map(-1);
        vv_assert(table != NULL);
        limits_begin(table);
    }
    limits_shared = table;
}

/* A process that was killed while it held a set is not waited for; nor is one whose pid was given
 * to somebody else since. What it left is at worst one count too few. */
static void limits_lock(struct limits_set *set)
{
    int64_t self = getpid(), owner = 0, since = 0;

    while (!atomic_compare_exchange_weak(&set->owner, &owner, self)) {
        int64_t now = vv_clock_steady();

        if (since == 0)
            since = now;
        if (owner != 0 &&
            ((kill((pid_t)owner, 0) < 0 && errno == ESRCH) || now - since > LIMITS_STEAL)) {
            if (atomic_compare_exchange_strong(&set->owner, &owner, self))
                return;
        }
        owner = 0;
        sched_yield();
    }
}

/* The entry of the key, or else the one whose loss matters least: free, or the earliest time. */
static struct limits_entry *limits_find(struct limits_set *set, uint64_t key)
{
    struct limits_entry *least = &set->entries[0];
    size_t i;

    for (i = 0; i < LIMITS_WAYS; i++) {
        struct limits_entry *entry = &set->entries[i];

        if (entry->key == key)
            return entry;
        if (entry->key == 0 || (least->key != 0 && entry->time < least->time))
            least = entry;
    }
    least->key = key;
    least->time = 0;
    return least;
}

uint32_t vv_limits_class(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++) /* FNV-1a */
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* Of a key that is too long for the buffer, a hash stands in its place. */
static uint64_t limits_key(uint32_t class_, const char *key)
{
    uint8_t bytes[128];
    size_t length = strlen(key);
    uint64_t hash;

    memcpy(bytes, &class_, sizeof class_);
    if (length > sizeof bytes - sizeof class_) {
        hash = vv_limits_hash(limits_shared->secret, (const uint8_t *)key, length);
        key = (const char *)&hash;
        length = sizeof hash;
    }
    memcpy(bytes + sizeof class_, key, length);
    return vv_limits_hash(limits_shared->secret, bytes, sizeof class_ + length);
}

struct vv_limit_answer vv_limits_take(uint32_t class_, const char *key, struct vv_rate rate,
                                      uint32_t amount)
{
    int64_t now = vv_clock_steady();
    int64_t each, whole, time, cost;
    struct vv_limit_answer answer = {.allowed = true};
    struct limits_entry *entry;
    struct limits_set *set;
    uint64_t hash;

    if (rate.count <= 0 || rate.period <= 0)
        return answer;
    if (limits_shared == NULL)
        vv_limits_attach(-1);
    each = VV_MAX(rate.period * 1000 / rate.count, 1);
    whole = each * rate.count;
    hash = limits_key(class_, key == NULL ? "" : key);
    set = &limits_shared->sets[hash % LIMITS_SETS];
    limits_lock(set);
    entry = limits_find(set, hash == 0 ? 1 : hash);
    /* A time beyond a whole burst is of a longer period than today's: cut to what today's allows.
     */
    time = VV_MIN(VV_MAX(entry->time, now), now + whole);
    cost = each * VV_MIN(VV_MAX(amount, 1), rate.count + 1); /* no product that overflows */
    answer.allowed = time + cost <= now + whole;
    if (answer.allowed)
        time += amount == 0 ? 0 : cost;
    else
        answer.retry_after = time + cost - now - whole;
    entry->time = time;
    atomic_store(&set->owner, 0);
    answer.remaining = (now + whole - time) / each;
    answer.reset = time - now;
    return answer;
}

int vv_limits_host(struct vv_self *self, const char *name, const char *key,
                   const struct vv_rate *rate, uint32_t amount, struct vv_rate_state *ret_state)
{
    struct vv_limit_answer answer;
    char class_[160];

    if (name == NULL || key == NULL || rate == NULL || rate->count < 0 || rate->period < 0)
        return VV_EINVAL;
    snprintf(class_, sizeof class_, "%s %s", self->name, name);
    answer = vv_limits_take(vv_limits_class(class_), key, *rate, amount);
    ret_state->allowed = answer.allowed;
    ret_state->remaining = answer.remaining;
    ret_state->retry_after = answer.retry_after;
    ret_state->reset = answer.reset;
    return 0;
}
