/* Filling recommendation ids into displays: what filling.py does without it, compiled.
 *
 * Optional, and one file for every CPython from 3.11 on (the stable ABI).
 */
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Displays lie all over a mapped file: all are asked for before the first is read. */
#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)0)
#endif
#define LINE 64 /* bytes that are read at once */

#define BLOCK 16   /* bytes of an id */
#define LETTERS 36 /* of its text, in the shape of a UUID */

/* Texts one after the other; text r is buffer[offset + indptr[r]:offset + indptr[r + 1]]. */
typedef struct {
    Py_buffer buffer, indptr;
    Py_ssize_t offset;
} Texts;

typedef struct {
    const char *text;
    Py_ssize_t length;
} Display;

static void
write_id(char *out, const unsigned char *block)
{
    static const char digits[] = "0123456789abcdef";
    for (int at = 0; at < BLOCK; at++) {
        if (at == 4 || at == 6 || at == 8 || at == 10)
            *out++ = '-';
        *out++ = digits[block[at] >> 4];
        *out++ = digits[block[at] & 15];
    }
}

/* Copy a display with an id in its gaps, which are found as Horspool (1980) does; returns the end.
 */
static char *
fill_one(char *out, const Display *display, const char *gap, Py_ssize_t n_gap,
         const unsigned char *skips, const char *id)
{
    const char *text = display->text, *end = text + display->length, *copied = text;
    while (end - text >= n_gap) {
        unsigned char last = (unsigned char)text[n_gap - 1];
        if (last == (unsigned char)gap[n_gap - 1] && memcmp(text, gap, (size_t)n_gap) == 0) {
            memcpy(out, copied, (size_t)(text - copied));
            out += text - copied;
            memcpy(out, id, LETTERS);
            out += LETTERS;
            copied = text += n_gap;
        }
        else {
            text += skips[last];
        }
    }
    memcpy(out, copied, (size_t)(end - copied));
    return out + (end - copied);
}

/* Find a display: bytes are taken as they are, a number is that of a text; -1 with an error. */
static int
locate(Display *display, PyObject *given, const Texts *texts)
{
    if (PyBytes_Check(given)) {
        char *text;
        if (PyBytes_AsStringAndSize(given, &text, &display->length) < 0)
            return -1;
        display->text = text;
        return 0;
    }
    Py_ssize_t row = PyLong_AsSsize_t(given);
    if (row == -1 && PyErr_Occurred())
        return -1;
    const int64_t *indptr = texts->indptr.buf;
    Py_ssize_t n_rows = texts->indptr.len / (Py_ssize_t)sizeof *indptr - 1;
    if (row < 0 || row >= n_rows || indptr[row] < 0 || indptr[row] > indptr[row + 1] ||
        indptr[row + 1] > texts->buffer.len - texts->offset) {
        PyErr_Format(PyExc_IndexError, "there is no text %zd", row);
        return -1;
    }
    display->text = (const char *)texts->buffer.buf + texts->offset + indptr[row];
    display->length = (Py_ssize_t)(indptr[row + 1] - indptr[row]);
    for (Py_ssize_t at = 0; at < display->length; at += LINE)
        PREFETCH(display->text + at);
    return 0;
}

static PyObject *
fill_all(PyObject *given, const char *gap, Py_ssize_t n_gap, const unsigned char *blocks,
         const Texts *texts)
{
    Py_ssize_t n = PyList_Size(given), room = 2 + n;
    Display *displays = malloc((size_t)n * sizeof *displays + 1);
    char *all = NULL;
    PyObject *result = NULL;
    if (!displays) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t at = 0; at < n; at++) {
        if (locate(&displays[at], PyList_GetItem(given, at), texts) < 0)
            goto done;
        room += displays[at].length; /* an id takes no more than its gap */
    }
    all = malloc((size_t)room);
    if (!all) {
        PyErr_NoMemory();
        goto done;
    }
    unsigned char skips[256];
    memset(skips, (int)n_gap, sizeof skips);
    for (Py_ssize_t at = 0; at < n_gap - 1; at++)
        skips[(unsigned char)gap[at]] = (unsigned char)(n_gap - 1 - at);
    char *out = all;
    *out++ = '[';
    for (Py_ssize_t at = 0; at < n; at++) {
        char id[LETTERS];
        write_id(id, blocks + BLOCK * at);
        if (at)
            *out++ = ',';
        out = fill_one(out, &displays[at], gap, n_gap, skips, id);
    }
    *out++ = ']';
    result = PyBytes_FromStringAndSize(all, out - all);
done:
    free(displays);
    free(all);
    return result;
}

PyDoc_STRVAR(fill_doc,
"fill(displays, blocks, gap, buffer, indptr, offset)\n--\n\n"
"Return the JSON array of displays with an id in the gaps of each.\n\n"
"displays\n"
"    A list of bytes, or numbers of texts in ``buffer``; see Texts for ``indptr`` and ``offset``.\n"
"blocks\n"
"    16 bytes per display, of which its id is made.\n"
"gap\n"
"    What stands where the id belongs, 36 to 255 bytes.\n\n"
"Raises IndexError for a text that does not exist, ValueError for blocks or a gap of another length.");

static PyObject *
fill(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *displays, *indptr, *result = NULL;
    Py_buffer blocks, gap;
    Texts texts;
    if (!PyArg_ParseTuple(args, "O!y*y*y*On", &PyList_Type, &displays, &blocks, &gap,
                          &texts.buffer, &indptr, &texts.offset))
        return NULL;
    if (PyObject_GetBuffer(indptr, &texts.indptr, PyBUF_SIMPLE) == 0) {
        if (gap.len < LETTERS || gap.len > 255 || blocks.len != BLOCK * PyList_Size(displays) ||
            texts.offset < 0 || texts.indptr.len % (Py_ssize_t)sizeof(int64_t))
            PyErr_SetString(PyExc_ValueError,
                            "the gap, the ids or the texts are of another length");
        else
            result = fill_all(displays, gap.buf, gap.len, blocks.buf, &texts);
        PyBuffer_Release(&texts.indptr);
    }
    PyBuffer_Release(&texts.buffer);
    PyBuffer_Release(&gap);
    PyBuffer_Release(&blocks);
    return result;
}

static PyMethodDef methods[] = {
    {"fill", fill, METH_VARARGS, fill_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "depict_reco.serving._compiled",
    .m_doc = "Filling recommendation ids into displays, compiled.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__compiled(void)
{
    return PyModuleDef_Init(&module);
}
