from __future__ import annotations

import mmap
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.serving import filling
from depict_reco.serving.filling import filled
from depict_reco.serving.mapped import Texts
from depict_reco.serving.tracking import ids_of

GAP = b"6-a-gap-of-some-forty-letters-for-the-id"
BLOCKS = bytes(range(32))
FIRST, SECOND = b"00010203-0405-0607-0809-0a0b0c0d0e0f", b"10111213-1415-1617-1819-1a1b1c1d1e1f"

needs_compiled = pytest.mark.skipif(
    filling.compiled is None, reason="depict_reco was installed without its compiled part"
)


def texts(*strings, before=b"head"):
    indptr = np.cumsum([0, *map(len, strings)]).astype(np.int64)
    return Texts(before + b"".join(strings) + b"tail", len(before), indptr)


@pytest.fixture(params=["compiled", "python"], autouse=True)
def every_way(request, monkeypatch):
    if request.param == "python":
        monkeypatch.setattr(filling, "compiled", None)
    elif filling.compiled is None:
        pytest.skip("depict_reco was installed without its compiled part")


def test_ids_are_filled_into_all_gaps_of_their_displays():
    given = [b'{"id":"' + GAP + b'","url":"/a?' + GAP + b'"}', b'"' + GAP + b'"']
    found = filled(given, BLOCKS, gap=GAP, texts=texts())
    assert found == b'[{"id":"%s","url":"/a?%s"},"%s"]' % (FIRST, FIRST, SECOND)


def test_a_number_stands_for_a_text():
    found = filled([1, b"{}"], BLOCKS, gap=GAP, texts=texts(b"first", b"<" + GAP + b">", b""))
    assert found == b"[<%s>,{}]" % FIRST


def test_texts_of_a_mapped_file_are_read(tmp_path):
    path = tmp_path / "texts"
    path.write_bytes(b"some" + GAP + b"more")
    with path.open("rb") as file:
        buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    mapped = Texts(buffer, 4, np.array([0, len(GAP)], dtype=np.int64))
    assert filled([0], BLOCKS[:16], gap=GAP, texts=mapped) == b"[%s]" % FIRST
    buffer.close()  # nobody holds on to it


def test_no_displays_are_an_empty_array():
    assert filled([], b"", gap=GAP, texts=texts()) == b"[]"


@pytest.mark.parametrize("row", [-1, 2, 1 << 40])
def test_a_text_that_does_not_exist_is_an_error(row):
    with pytest.raises((IndexError, ValueError)):
        filled([row], BLOCKS[:16], gap=GAP, texts=texts(b"one", b"two"))


def test_each_display_needs_an_id():
    with pytest.raises(ValueError, match=r"length|longer|shorter"):
        filled([b"{}"], BLOCKS, gap=GAP, texts=texts())


pieces = st.lists(
    st.sampled_from([GAP, GAP[:-1], GAP[1:], GAP[:20], b"6", b"d", b"\xc3\xa5"]), max_size=8
).map(b"".join)


@given(given=st.lists(pieces | st.integers(0, 3), max_size=6), strings=st.lists(pieces, min_size=4))
def test_it_is_what_replacing_gives(given, strings):
    blocks = bytes(at % 251 for at in range(16 * len(given)))
    wanted = [
        (strings[one] if isinstance(one, int) else one).replace(GAP, name.encode())
        for one, name in zip(given, ids_of(blocks), strict=True)
    ]
    found = filled(given, blocks, gap=GAP, texts=texts(*strings))
    assert found == b"[" + b",".join(wanted) + b"]"


@needs_compiled
class TestCompiled:
    def fill(self, displays=(0,), blocks=BLOCKS[:16], gap=GAP, buffer=b"abc", indptr=(0, 3), at=0):
        places = np.array(indptr, dtype=np.int64)
        return filling._compiled.fill(list(displays), blocks, gap, buffer, places, at)

    def test_a_whole_one(self):
        assert self.fill() == b"[abc]"

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({"indptr": (0, 4)}, IndexError),
            ({"indptr": (-1, 3)}, IndexError),
            ({"indptr": (2, 1)}, IndexError),
            ({"indptr": ()}, IndexError),
            ({"at": 1}, IndexError),
            ({"at": 1 << 62}, IndexError),
            ({"at": -1}, ValueError),
            ({"gap": b"short"}, ValueError),
            ({"gap": b"long" * 64}, ValueError),
            ({"displays": ("text",)}, TypeError),
            ({"displays": (None,)}, TypeError),
            ({"displays": (1 << 70,)}, OverflowError),
        ],
    )
    def test_what_does_not_fit_is_refused(self, wrong, error):
        with pytest.raises(error):
            self.fill(**wrong)

    def test_places_must_be_of_eight_bytes(self):
        with pytest.raises(ValueError, match="length"):
            filling._compiled.fill([0], BLOCKS[:16], GAP, b"abc", np.zeros(3, dtype=np.int32), 0)


def test_without_the_compiled_part_python_does_the_work():
    program = (
        "import sys; sys.modules['depict_reco.serving._compiled'] = None\n"
        "from depict_reco.serving import filling\n"
        "print(filling.compiled)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "None\n", done.stderr
