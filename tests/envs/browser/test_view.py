import numpy as np
import pytest

from turngym.envs.browser.view import View

SIZES = [(160, 210), (84, 112), (320, 100), (80, 105), (53, 200), (400, 400)]


def picture(width, height):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_native_size_shows_the_frame_as_it_is():
    frame = picture(160, 210)
    assert View((160, 210), (160, 210)).show(frame) is frame


@pytest.mark.parametrize("image", SIZES)
def test_the_image_has_the_size_asked_for_and_is_white_beside_the_page(image):
    view = View((160, 210), image)
    shown = view.show(np.zeros((210, 160, 3), np.uint8))
    width, height = view.covered
    assert shown.shape == (image[1], image[0], 3)
    assert (shown[:height, :width] == 0).all()
    assert (shown[height:] == 255).all()
    assert (shown[:, width:] == 255).all()
    assert abs(width / height - 160 / 210) < 0.02


def test_scaling_down_averages_areas():
    frame = np.zeros((210, 160, 3), np.uint8)
    frame[:, ::2] = 255
    shown = View((160, 210), (80, 105)).show(frame)
    assert np.abs(shown.astype(int) - 127).max() <= 1


def test_pages_are_never_scaled_up():
    assert View((160, 210), (400, 400)).covered == (160, 210)


@pytest.mark.parametrize("image", SIZES)
def test_an_image_pixel_leads_to_the_page_pixel_it_shows_and_back(image):
    view = View((160, 210), image)
    for x in range(view.covered[0]):
        for y in range(0, view.covered[1], 7):
            page = view.to_page(x, y)
            assert page is not None
            back = view.to_image(page[0] + 0.5, page[1] + 0.5)
            assert (int(back[0]), int(back[1])) == (x, y)


@pytest.mark.parametrize("image", SIZES)
def test_the_corners_lead_to_corners_and_the_margin_nowhere(image):
    view = View((160, 210), image)
    width, height = view.covered
    assert view.to_page(0, 0) is not None
    assert view.to_page(width, 0) is None
    assert view.to_page(0, height) is None
    last = view.to_page(width - 1, height - 1)
    assert last is not None
    assert last[0] < 160
    assert last[1] < 210


def test_native_positions_are_the_same():
    view = View((160, 210), (160, 210))
    assert view.to_page(49, 103) == (49, 103)
    assert view.to_image(49.0, 103.0) == (49.0, 103.0)
