import numpy as np
import pytest

from turngym.envs.browser.elements import Mark
from turngym.envs.browser.marks import draw_marks


def blank(width=200, height=150):
    return np.full((height, width, 3), 255, np.uint8)


def mark(number, left, top, width, height):
    return Mark(number, "button", "", (left, top, width, height), (left, top), True)


def changed(before, after):
    return (before != after).any(axis=2)


def test_the_outline_goes_around_the_element_and_nothing_is_drawn_on_it():
    picture = blank()
    marked = draw_marks(picture, [mark(7, 60, 50, 40, 20)])
    ink = changed(picture, marked)
    assert not ink[50:70, 60:100].any()
    assert ink[49, 59:101].all()
    assert ink[70, 59:101].all()
    assert ink[49:71, 59].all()
    assert ink[49:71, 100].all()
    assert ink[:49].any()  # the number, above
    assert (picture == 255).all()


def test_numbers_hide_no_neighbour_while_there_is_room():
    marks = [mark(row * 3 + column, 30 + 55 * column, 20 + 40 * row, 20, 14) for row in range(3) for column in range(3)]
    picture = blank()
    ink = changed(picture, draw_marks(picture, marks))
    for each in marks:
        left, top, width, height = map(int, each.box)
        assert not ink[top : top + height, left : left + width].any()


def test_numbers_differ_and_pictures_are_the_same_again():
    pictures = [draw_marks(blank(), [mark(number, 60, 50, 40, 20)]) for number in (1, 2, 10, 1)]
    assert (pictures[0] == pictures[3]).all()
    assert (pictures[0] != pictures[1]).any()
    assert (pictures[0] != pictures[2]).any()


def test_boxes_follow_the_scale():
    picture = blank()
    ink = changed(picture, draw_marks(picture, [mark(1, 120, 100, 80, 40)], scale=(0.5, 0.5)))
    assert ink[49, 59:101].all()
    assert not ink[50:70, 60:100].any()


@pytest.mark.parametrize(
    "box", [(0, 0, 200, 150), (-20, -20, 30, 30), (190, 140, 50, 50), (0, 0, 1, 1), (300, 300, 5, 5), (199, 149, 1, 1)]
)
def test_any_box_is_drawn_inside_any_picture(box):
    for width, height in ((200, 150), (5, 4)):
        marked = draw_marks(blank(width, height), [mark(123, *box)])
        assert marked.shape == (height, width, 3)
        assert changed(blank(width, height), marked).any()


def test_nothing_to_mark():
    assert (draw_marks(blank(), []) == blank()).all()
