/* Blending in one pass over the lists: what model.py does with numpy, compiled.
 *
 * Optional: where it could not be built, numpy does the same. One file serves every CPython from
 * 3.11 on (the stable ABI). Everything is read through the buffer protocol and nothing is kept;
 * numbers out of the arrays are checked before they are used as places in others. Formats with a
 * '#' are not used: what a newer Python's headers make of them, an older one refuses.
 */
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- arrays ------------------------------------------------------------------------------- */

typedef struct {
    Py_buffer view;
    int taken;
} Array;

/* Take a contiguous array of signed integers or floats of some size; -1 with an error if it is
 * none. */
static int
array_take(Array *array, PyObject *object, const char *name, char kind, Py_ssize_t itemsize)
{
    if (PyObject_GetBuffer(object, &array->view, PyBUF_ND | PyBUF_FORMAT) < 0)
        return -1;
    array->taken = 1;
    const char *format = array->view.format ? array->view.format : "B";
    int fits = kind == 'f' ? format[0] == 'f' : strchr("hilq", format[0]) != NULL;
    if (!fits || format[1] != '\0' || array->view.itemsize != itemsize) {
        PyErr_Format(PyExc_TypeError, "%s: an array of %s of %zd bytes is needed, not of '%s'",
                     name, kind == 'f' ? "floats" : "integers", itemsize, format);
        return -1;
    }
    return 0;
}

static void
arrays_release(Array *arrays, size_t count)
{
    for (size_t at = 0; at < count; at++)
        if (arrays[at].taken)
            PyBuffer_Release(&arrays[at].view);
}

static Py_ssize_t
length(const Array *array)
{
    return array->view.len / array->view.itemsize;
}

/* Rows lie all over mapped files: each is asked for a while before it is read. */
#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)0)
#endif
#define AHEAD 16

#define VALUES(array, type) ((const type *)(array)->view.buf)

/* --- a table of sums by number ------------------------------------------------------------- */

typedef struct {
    int32_t key;
    int32_t row; /* from 1 on; 0 where nothing is */
} Slot;

typedef struct {
    Slot *slots;
    uint32_t mask;
    int shift;
    int32_t *keys; /* by row */
    double *sums;  /* width of them per row */
    int32_t count, room, width;
} Table;

static void
table_free(Table *table)
{
    free(table->slots);
    free(table->keys);
    free(table->sums);
    memset(table, 0, sizeof *table);
}

static int
table_init(Table *table, int32_t width, int bits)
{
    memset(table, 0, sizeof *table);
    table->width = width;
    table->mask = (UINT32_C(1) << bits) - 1;
    table->shift = 32 - bits;
    table->room = (int32_t)1 << (bits - 1);
    table->slots = calloc((size_t)table->mask + 1, sizeof *table->slots);
    table->keys = malloc((size_t)table->room * sizeof *table->keys);
    table->sums = malloc((size_t)table->room * (size_t)width * sizeof *table->sums);
    return table->slots && table->keys && table->sums ? 0 : -1;
}

static Slot *
table_slot(const Table *table, int32_t key)
{
    uint32_t at = ((uint32_t)key * UINT32_C(2654435769)) >> table->shift;
    while (table->slots[at].row && table->slots[at].key != key)
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

/* Twice the room, for rows and slots alike: slots are half full at most. */
static int
table_grow(Table *table)
{
    size_t room = 2 * (size_t)table->room;
    if (table->shift < 2)
        return -1;
    Slot *slots = calloc(2 * room, sizeof *slots);
    int32_t *keys = realloc(table->keys, room * sizeof *keys);
    if (keys)
        table->keys = keys;
    double *sums = realloc(table->sums, room * (size_t)table->width * sizeof *sums);
    if (sums)
        table->sums = sums;
    if (!slots || !keys || !sums) {
        free(slots);
        return -1;
    }
    free(table->slots);
    table->slots = slots;
    table->room = (int32_t)room;
    table->mask = (uint32_t)(2 * room - 1);
    table->shift--;
    for (int32_t row = 0; row < table->count; row++) {
        Slot *slot = table_slot(table, keys[row]);
        slot->key = keys[row];
        slot->row = row + 1;
    }
    return 0;
}

/* The sums of a key, all 0 if it is new; NULL without memory. */
static double *
table_row(Table *table, int32_t key)
{
    Slot *slot = table_slot(table, key);
    if (!slot->row) {
        if (table->count == table->room) {
            if (table_grow(table) < 0)
                return NULL;
            slot = table_slot(table, key);
        }
        slot->key = key;
        table->keys[table->count] = key;
        memset(table->sums + (size_t)table->count * (size_t)table->width, 0,
               (size_t)table->width * sizeof *table->sums);
        slot->row = ++table->count;
    }
    return table->sums + (size_t)(slot->row - 1) * (size_t)table->width;
}

/* --- the best of many ---------------------------------------------------------------------- */

/* Numbers that stand in the order of some floats. */
static uint32_t
rank_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & UINT32_C(0x80000000) ? ~bits : bits | UINT32_C(0x80000000);
}

static float
value_of(uint32_t rank)
{
    uint32_t bits = rank & UINT32_C(0x80000000) ? rank ^ UINT32_C(0x80000000) : ~rank;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number that `count` of `n` are greater than or equal to, 0 < count <= n; moves those to the
 * front. */
static uint64_t
nth_greatest(uint64_t *numbers, Py_ssize_t n, Py_ssize_t count)
{
    Py_ssize_t first = 0, last = n - 1, wanted = count - 1;
    while (first < last) {
        uint64_t a = numbers[first], b = numbers[first + (last - first) / 2], c = numbers[last];
        uint64_t pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        Py_ssize_t left = first, right = last;
        while (left <= right) {
            while (numbers[left] > pivot)
                left++;
            while (numbers[right] < pivot)
                right--;
            if (left <= right) {
                uint64_t moved = numbers[left];
                numbers[left++] = numbers[right];
                numbers[right--] = moved;
            }
        }
        if (wanted <= right)
            last = right;
        else if (wanted >= left)
            first = left;
        else
            break;
    }
    return numbers[wanted];
}

/* --- a question ---------------------------------------------------------------------------- */

enum {
    RELATED_INDPTR, RELATED_ITEMS, RELATED_SCORES,
    POSTING_INDPTR, POSTING_SESSIONS, POSTING_POSITIONS,
    SESSION_INDPTR, SESSION_ITEMS, SESSION_WEIGHTS, DECAY,
    PRIORS, PRIOR_WEIGHTS, BUT, N_ARRAYS
};

static const struct {
    const char *name;
    char kind;
    Py_ssize_t itemsize;
} KINDS[N_ARRAYS] = {
    {"related.indptr", 'i', 8}, {"related.items", 'i', 4}, {"related.scores", 'f', 4},
    {"posting_indptr", 'i', 8}, {"posting_sessions", 'i', 4}, {"posting_positions", 'i', 2},
    {"session_indptr", 'i', 8}, {"session_items", 'i', 4}, {"session_weights", 'f', 4},
    {"decay", 'f', 4}, {"priors", 'f', 4}, {"prior_weights", 'f', 4}, {"but", 'i', 4},
};

#define MOST_VOICES 64
#define LEAST (-80.0f) /* see blending.py */
#define ROUNDING 1e-3f /* much more than sums of a few floats are out by */

typedef struct {
    Array arrays[N_ARRAYS];
    Py_ssize_t n_items;
    Py_ssize_t budget, neighbours; /* see SessionOptions */
    Table found;                   /* by item, a column for each voice */
} Question;

static int
broken(const char *where)
{
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "%s: a number is out of range", where);
    return -1;
}

static int
without_memory(void)
{
    PyErr_NoMemory();
    return -1;
}

/* Begin and end of a row, checked; -1 if they are not within the values. */
static int
row_bounds(const int64_t *indptr, Py_ssize_t row, Py_ssize_t n_values, int64_t *start, int64_t *end)
{
    *start = indptr[row];
    *end = indptr[row + 1];
    return 0 <= *start && *start <= *end && *end <= n_values ? 0 : -1;
}

/* Add up the lists of some items in one table of related items. */
static int
hear_related(Question *asked, int32_t voice, Py_ssize_t place, const int32_t *items,
             const float *weights, Py_ssize_t n)
{
    const Array *arrays = asked->arrays;
    const int64_t *indptr = VALUES(&arrays[RELATED_INDPTR], int64_t);
    const int32_t *others = VALUES(&arrays[RELATED_ITEMS], int32_t);
    const float *scores = VALUES(&arrays[RELATED_SCORES], float);
    Py_ssize_t n_columns = asked->n_items + 1;
    if (place < 0 || (place + 1) * n_columns > length(&arrays[RELATED_INDPTR]))
        return broken("place of a table");
    for (Py_ssize_t at = 0; at < n; at++) {
        int64_t start, end;
        if (items[at] < 0 || items[at] >= asked->n_items)
            return broken("items asked about");
        if (row_bounds(indptr, place * n_columns + items[at], length(&arrays[RELATED_ITEMS]),
                       &start, &end) < 0)
            return broken("related.indptr");
        float weight = weights ? weights[at] : 1.0f;
        for (int64_t entry = start; entry < end; entry++) {
            double *sums = table_row(&asked->found, others[entry]);
            if (!sums)
                return without_memory();
            sums[voice] += (double)(scores[entry] * weight);
        }
    }
    return 0;
}

typedef struct {
    int64_t first, end; /* of its items that are near enough to vote */
    int64_t middle;     /* where the match is */
    float similarity;
} Neighbour;

/* Find where the items lie that neighbours vote for; -1 if they are nowhere. */
static int
locate(const Question *asked, Neighbour *neighbours, const int32_t *sessions, Py_ssize_t n)
{
    const Array *arrays = asked->arrays;
    const int64_t *indptr = VALUES(&arrays[SESSION_INDPTR], int64_t);
    const int32_t *items = VALUES(&arrays[SESSION_ITEMS], int32_t);
    Py_ssize_t n_places = length(&arrays[SESSION_ITEMS]);
    int64_t reach = length(&arrays[DECAY]) / 2;
    for (Py_ssize_t at = 0; at < n; at++) {
        Neighbour *one = &neighbours[at];
        int64_t start, end;
        if (at + AHEAD < n)
            PREFETCH(&indptr[sessions[at + AHEAD]]);
        if (row_bounds(indptr, sessions[at], n_places, &start, &end) < 0)
            return broken("session_indptr");
        one->middle += start;
        one->first = one->middle - reach > start ? one->middle - reach : start;
        one->end = one->middle + reach + 1 < end ? one->middle + reach + 1 : end;
        if (one->first < one->end) {
            PREFETCH(&items[one->first]);
            PREFETCH(&items[one->end - 1]);
        }
    }
    return 0;
}

/* Let neighbours vote for the items around the match. */
static int
vote(Question *asked, int32_t voice, const Neighbour *neighbours, Py_ssize_t n)
{
    const int32_t *items = VALUES(&asked->arrays[SESSION_ITEMS], int32_t);
    const float *decay = VALUES(&asked->arrays[DECAY], float);
    int64_t n_decay = length(&asked->arrays[DECAY]);
    for (const Neighbour *one = neighbours; one < neighbours + n; one++)
        for (int64_t entry = one->first; entry < one->end; entry++) {
            int64_t distance = entry - one->middle;
            double *sums = table_row(&asked->found, items[entry]);
            if (!sums)
                return without_memory();
            sums[voice] +=
                (double)(decay[distance < 0 ? n_decay + distance : distance] * one->similarity);
        }
    return 0;
}

enum { SIMILARITY, MATCH, N_FACTS };

/* Look up which sessions hold the items, how much of them, and where. */
static int
meet(const Question *asked, Table *met, const int32_t *items, const float *weights, Py_ssize_t n)
{
    const Array *arrays = asked->arrays;
    const int64_t *indptr = VALUES(&arrays[POSTING_INDPTR], int64_t);
    const int32_t *sessions = VALUES(&arrays[POSTING_SESSIONS], int32_t);
    const int16_t *positions = VALUES(&arrays[POSTING_POSITIONS], int16_t);
    Py_ssize_t n_sessions = length(&arrays[SESSION_WEIGHTS]);
    for (Py_ssize_t at = 0; at < n; at++) {
        int64_t start, end;
        if (items[at] < 0 || items[at] >= asked->n_items)
            return broken("items of a session");
        if (row_bounds(indptr, items[at], length(&arrays[POSTING_SESSIONS]), &start, &end) < 0)
            return broken("posting_indptr");
        /* a long session shares the work out among its items, the newest sessions of each first */
        if (end - start > asked->budget / n)
            end = start + asked->budget / n;
        for (int64_t entry = start; entry < end; entry++) {
            if (sessions[entry] < 0 || sessions[entry] >= n_sessions)
                return broken("posting_sessions");
            double *facts = table_row(met, sessions[entry]);
            if (!facts)
                return without_memory();
            facts[SIMILARITY] += (double)weights[at];
            facts[MATCH] = (double)positions[entry]; /* the last match is of the newest item */
        }
    }
    return 0;
}

/* Keep the sessions that are most like this one; returns how many, or -1. `sessions` and
 * `neighbours` have room for all. */
static Py_ssize_t
nearest(const Question *asked, const Table *met, int32_t *sessions, Neighbour *neighbours)
{
    const float *weights = VALUES(&asked->arrays[SESSION_WEIGHTS], float);
    uint64_t *ranks = malloc(2 * (size_t)met->count * sizeof *ranks), least = 0;
    if (!ranks)
        return without_memory();
    for (int32_t row = 0; row < met->count; row++) {
        double *similarity = &met->sums[N_FACTS * row + SIMILARITY];
        *similarity = (double)((float)*similarity * weights[met->keys[row]]);
        /* of sessions equally like this one the newest, which have the greatest numbers */
        ranks[row] = (uint64_t)rank_of((float)*similarity) << 32 | (uint32_t)met->keys[row];
    }
    if (met->count > asked->neighbours) {
        uint64_t *moved = ranks + met->count;
        memcpy(moved, ranks, (size_t)met->count * sizeof *moved);
        least = nth_greatest(moved, met->count, asked->neighbours);
    }
    Py_ssize_t n = 0;
    for (int32_t row = 0; row < met->count; row++)
        if (ranks[row] >= least) {
            sessions[n] = met->keys[row];
            neighbours[n].middle = (int64_t)met->sums[N_FACTS * row + MATCH];
            neighbours[n++].similarity = (float)met->sums[N_FACTS * row + SIMILARITY];
        }
    free(ranks);
    return n;
}

/* Find the past sessions that are most like this one, and let them vote. */
static int
hear_sessions(Question *asked, int32_t voice, const int32_t *items, const float *weights,
              Py_ssize_t n)
{
    Table met;
    int32_t *sessions = NULL;
    Neighbour *neighbours = NULL;
    int result = -1;
    if (table_init(&met, N_FACTS, 13) < 0) {
        without_memory();
        goto done;
    }
    if (meet(asked, &met, items, weights, n) < 0)
        goto done;
    result = 0;
    if (met.count == 0)
        goto done;
    result = -1;
    sessions = malloc((size_t)met.count * sizeof *sessions);
    neighbours = malloc((size_t)met.count * sizeof *neighbours);
    if (!sessions || !neighbours) {
        without_memory();
        goto done;
    }
    n = nearest(asked, &met, sessions, neighbours);
    if (n >= 0 && locate(asked, neighbours, sessions, n) == 0)
        result = vote(asked, voice, neighbours, n);
done:
    free(sessions);
    free(neighbours);
    table_free(&met);
    return result;
}

/* Hear one voice: (place, items, weights or None, ...), a place below 0 being that of sessions. */
static int
hear(Question *asked, int32_t voice, PyObject *said)
{
    Array items = {0}, weights = {0};
    int result = -1;
    PyObject *weighed;
    Py_ssize_t place = PyNumber_AsSsize_t(PyTuple_GetItem(said, 0), PyExc_OverflowError);
    if (place == -1 && PyErr_Occurred())
        return -1;
    if (array_take(&items, PyTuple_GetItem(said, 1), "items of a voice", 'i', 4) < 0)
        goto done;
    weighed = PyTuple_GetItem(said, 2);
    if (weighed != Py_None && array_take(&weights, weighed, "weights of a voice", 'f', 4) < 0)
        goto done;
    Py_ssize_t n = length(&items);
    if (weights.taken ? length(&weights) != n : place < 0) {
        PyErr_SetString(PyExc_ValueError, "each item of a voice needs a weight");
        goto done;
    }
    const float *counts = weights.taken ? VALUES(&weights, float) : NULL;
    if (place < 0)
        result = hear_sessions(asked, voice, VALUES(&items, int32_t), counts, n);
    else
        result = hear_related(asked, voice, place, VALUES(&items, int32_t), counts, n);
done:
    arrays_release(&items, 1);
    arrays_release(&weights, 1);
    return result;
}

/* --- the answer ---------------------------------------------------------------------------- */

/* What each voice counts: its weight over the root of its best score, 0 if that is not above 0. */
static void
weigh_voices(const Question *asked, Py_ssize_t n_but, const double *weights, float *counts)
{
    int32_t width = asked->found.width;
    for (int32_t voice = 0; voice < width; voice++)
        counts[voice] = 0.0f;
    for (Py_ssize_t row = n_but; row < asked->found.count; row++) {
        const double *sums = asked->found.sums + (size_t)row * (size_t)width;
        for (int32_t voice = 0; voice < width; voice++)
            if ((float)sums[voice] > counts[voice])
                counts[voice] = (float)sums[voice];
    }
    for (int32_t voice = 0; voice < width; voice++)
        if (counts[voice] > 0.0f)
            counts[voice] = (float)(weights[voice] / sqrt((double)counts[voice]));
}

/* The items that more speaks for than against, and by how much; returns how many, or -1. */
static Py_ssize_t
weigh_items(const Question *asked, Py_ssize_t n_but, const float *counts, int32_t *items,
            float *scores)
{
    int32_t width = asked->found.width;
    Py_ssize_t n = 0;
    for (Py_ssize_t row = n_but; row < asked->found.count; row++) {
        const double *sums = asked->found.sums + (size_t)row * (size_t)width;
        float score = 0.0f;
        for (int32_t voice = 0; voice < width; voice++) {
            float sum = (float)sums[voice];
            if (sum > 0.0f)
                score += counts[voice] * sqrtf(sum);
            else if (sum < 0.0f)
                score -= counts[voice] * sqrtf(-sum);
        }
        if (!(score > 0.0f))
            continue;
        items[n] = asked->found.keys[row];
        if (items[n] < 0 || items[n] >= asked->n_items)
            return broken("items");
        scores[n++] = score;
    }
    return n;
}

/* Leave out what no prior could bring among the `most` likely items, priors being between 0 and 1:
 * they lie all over the memory, and most items have little evidence. Returns how many stay, or
 * -1. */
static Py_ssize_t
keep_promising(const Question *asked, int32_t *items, float *scores, Py_ssize_t n, Py_ssize_t most)
{
    const float *weights = VALUES(&asked->arrays[PRIOR_WEIGHTS], float);
    float reach = ROUNDING;
    if (most < 1 || n <= most)
        return n;
    uint64_t *ranks = malloc((size_t)n * sizeof *ranks);
    if (!ranks)
        return without_memory();
    for (Py_ssize_t at = 0; at < n; at++)
        ranks[at] = rank_of(scores[at]);
    for (Py_ssize_t one = 0; one < length(&asked->arrays[PRIOR_WEIGHTS]); one++)
        reach += fabsf(weights[one]);
    float least = value_of((uint32_t)nth_greatest(ranks, n, most)) - reach;
    free(ranks);
    Py_ssize_t n_kept = 0;
    for (Py_ssize_t at = 0; at < n; at++)
        if (scores[at] >= least) {
            items[n_kept] = items[at];
            scores[n_kept++] = scores[at];
        }
    return n_kept;
}

/* Add what speaks for items whatever is asked: scores become logarithms of chances. */
static void
add_priors(const Question *asked, const int32_t *items, float *scores, Py_ssize_t n)
{
    const float *priors = VALUES(&asked->arrays[PRIORS], float);
    const float *weights = VALUES(&asked->arrays[PRIOR_WEIGHTS], float);
    Py_ssize_t n_priors = length(&asked->arrays[PRIOR_WEIGHTS]);
    for (Py_ssize_t at = 0; at < n; at++) {
        float prior = 0.0f;
        for (Py_ssize_t one = 0; one < n_priors; one++)
            prior += weights[one] * priors[one * asked->n_items + items[at]];
        scores[at] += prior;
    }
}

static int
by_rank(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a < b) - (a > b); /* the greatest first */
}

/* Keep the `most` likely items, best first, equal ones in their order; all as they are for 0.
 * Returns how many, or -1. */
static Py_ssize_t
keep_best(int32_t *items, float *logits, Py_ssize_t n, Py_ssize_t most)
{
    if (most < 1 || n == 0)
        return n;
    uint64_t *ranks = malloc((size_t)n * sizeof *ranks);
    if (!ranks)
        return without_memory();
    for (Py_ssize_t at = 0; at < n; at++)
        ranks[at] = (uint64_t)rank_of(logits[at]) << 32 | (uint32_t)(INT32_MAX - items[at]);
    Py_ssize_t n_kept = n;
    if (n > most) {
        nth_greatest(ranks, n, most); /* which leaves the greater ones before it */
        n_kept = most;
    }
    qsort(ranks, (size_t)n_kept, sizeof *ranks, by_rank);
    for (Py_ssize_t at = 0; at < n_kept; at++) {
        items[at] = INT32_MAX - (int32_t)(uint32_t)ranks[at];
        logits[at] = value_of((uint32_t)(ranks[at] >> 32));
    }
    free(ranks);
    return n_kept;
}

/* Turn logarithms of chances into chances, the best one's being 1. */
static void
exponentiate(float *logits, Py_ssize_t n)
{
    float top = -INFINITY;
    for (Py_ssize_t at = 0; at < n; at++)
        if (logits[at] > top)
            top = logits[at];
    for (Py_ssize_t at = 0; at < n; at++) {
        float below = logits[at] - top;
        logits[at] = expf(below > LEAST ? below : LEAST);
    }
}

static PyObject *
answer(const Question *asked, Py_ssize_t n_but, const double *weights, Py_ssize_t most)
{
    size_t room = (size_t)asked->found.count + 1;
    float *counts = malloc((size_t)asked->found.width * sizeof *counts + 1);
    float *logits = malloc(room * sizeof *logits);
    int32_t *items = malloc(room * sizeof *items);
    PyObject *result = NULL;
    if (!counts || !logits || !items) {
        PyErr_NoMemory();
        goto done;
    }
    weigh_voices(asked, n_but, weights, counts);
    Py_ssize_t n = weigh_items(asked, n_but, counts, items, logits);
    if (n >= 0)
        n = keep_promising(asked, items, logits, n, most);
    if (n < 0)
        goto done;
    add_priors(asked, items, logits, n);
    n = keep_best(items, logits, n, most);
    if (n < 0)
        goto done;
    exponentiate(logits, n);
    result = Py_BuildValue( /* which passes an error on where one of them could not be made */
        "(NN)", PyBytes_FromStringAndSize((const char *)items, n * (Py_ssize_t)sizeof *items),
        PyBytes_FromStringAndSize((const char *)logits, n * (Py_ssize_t)sizeof *logits));
done:
    free(counts);
    free(logits);
    free(items);
    return result;
}

/* Check that the arrays belong together, as far as they are used without looking. */
static int
agree(const Question *asked)
{
    const Array *arrays = asked->arrays;
    if (length(&arrays[POSTING_INDPTR]) != asked->n_items + 1 ||
        length(&arrays[POSTING_POSITIONS]) != length(&arrays[POSTING_SESSIONS]) ||
        length(&arrays[SESSION_INDPTR]) != length(&arrays[SESSION_WEIGHTS]) + 1 ||
        length(&arrays[RELATED_SCORES]) != length(&arrays[RELATED_ITEMS]) ||
        length(&arrays[PRIORS]) != length(&arrays[PRIOR_WEIGHTS]) * asked->n_items ||
        length(&arrays[DECAY]) % 2 != 1) {
        PyErr_SetString(PyExc_ValueError, "the arrays are not of one model");
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(blend_doc,
"blend(arrays, n_items, budget, neighbours, voices, most)\n--\n\n"
"Return the items that the voices speak for and their chances, as the bytes of int32 and float32\n"
"arrays; see blending.py.\n\n"
"arrays\n"
"    The related items (indptr, items, scores); the sessions (posting_indptr, posting_sessions,\n"
"    posting_positions, session_indptr, session_items, session_weights) and their decay by\n"
"    distance; priors and their weights; the items to leave out.\n"
"voices\n"
"    A list of (place, items, weights or None, weight): the place of a table of related items, or\n"
"    -1 for the sessions, which need weights; what is asked about, and what each counts.\n"
"most\n"
"    So many of the likeliest, best first; 0 for all, in no order.\n\n"
"Raises TypeError and ValueError for arrays of other kinds, or numbers that are out of range.");

static PyObject *
blend(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *arrays, *voices, *result = NULL;
    Py_ssize_t n_items, budget, neighbours, most;
    double *weights = NULL;
    if (!PyArg_ParseTuple(args, "O!nnnO!n", &PyTuple_Type, &arrays, &n_items, &budget, &neighbours,
                          &PyList_Type, &voices, &most))
        return NULL;
    if (PyTuple_Size(arrays) != N_ARRAYS || n_items < 0 || n_items > INT32_MAX || budget < 0 ||
        neighbours < 1 || PyList_Size(voices) > MOST_VOICES) {
        PyErr_SetString(PyExc_ValueError, "a question of another shape is needed");
        return NULL;
    }
    Question *asked = calloc(1, sizeof *asked);
    if (!asked)
        return PyErr_NoMemory();
    asked->n_items = n_items;
    asked->budget = budget;
    asked->neighbours = neighbours;
    for (int at = 0; at < N_ARRAYS; at++)
        if (array_take(&asked->arrays[at], PyTuple_GetItem(arrays, at), KINDS[at].name,
                       KINDS[at].kind, KINDS[at].itemsize) < 0)
            goto done;
    if (agree(asked) < 0)
        goto done;
    Py_ssize_t n_voices = PyList_Size(voices);
    weights = malloc((size_t)n_voices * sizeof *weights + 1);
    if (!weights || table_init(&asked->found, n_voices ? (int32_t)n_voices : 1, 13) < 0) {
        PyErr_NoMemory();
        goto done;
    }
    const int32_t *but = VALUES(&asked->arrays[BUT], int32_t);
    for (Py_ssize_t at = 0; at < length(&asked->arrays[BUT]); at++)
        if (!table_row(&asked->found, but[at])) {
            PyErr_NoMemory();
            goto done;
        }
    Py_ssize_t n_but = asked->found.count; /* what is left out stands first */
    for (Py_ssize_t at = 0; at < n_voices; at++) {
        PyObject *voice = PyList_GetItem(voices, at);
        if (!voice || !PyTuple_Check(voice) || PyTuple_Size(voice) != 4) {
            PyErr_SetString(PyExc_TypeError, "a voice is (place, items, weights, weight)");
            goto done;
        }
        weights[at] = PyFloat_AsDouble(PyTuple_GetItem(voice, 3));
        if (weights[at] == -1.0 && PyErr_Occurred())
            goto done;
        if (hear(asked, (int32_t)at, voice) < 0)
            goto done;
    }
    result = answer(asked, n_but, weights, most);
done:
    free(weights);
    table_free(&asked->found);
    arrays_release(asked->arrays, N_ARRAYS);
    free(asked);
    return result;
}

static PyMethodDef methods[] = {
    {"blend", blend, METH_VARARGS, blend_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "depict_reco.engine._compiled",
    .m_doc = "Blending, compiled.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__compiled(void)
{
    return PyModuleDef_Init(&module);
}
