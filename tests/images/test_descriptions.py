"""Images and planes that the description of a TIFF may declare, counted by hand."""

import pytest

from common.images import descriptions


def of_images(*images):
    return f"<OME>{''.join(f'<Image {image}/>' for image in images)}</OME>"


@pytest.mark.parametrize(
    "text",
    [
        of_images('SizeC="16384"'),
        of_images('SizeC="4" SizeT="64" SizeZ="64"'),  # 2**14
        of_images('SizeC="16384" SizeC="5"'),  # of numbers of one name the greater
        of_images('SizeC="0" SizeT="16384"'),
        of_images('PlaneCount="10000"', 'PlaneCount="6384"'),
        of_images('SizeC="8192"', 'SizeT="8192"', "", 'PlaneCount="16384"'),  # declared, and listed
        of_images('SizeX="99999" SizeY="99999"'),
        of_images("SizeT = ' 000016384'"),
        of_images(*[""] * 1024),
        of_images(*['SizeC="16"'] * 1024),
        of_images(*["", ""]).replace("<Image", "<ome:Image"),
        "<ImageDescription/>" * 2000,
        "",
    ],
    ids=lambda text: text[:40],
)
def test_1024_images_and_16384_planes_are_allowed(text):
    descriptions.check(text)


@pytest.mark.parametrize(
    "text",
    [
        of_images('SizeC="16385"'),
        of_images('SizeC="5" SizeC="16385"'),
        of_images('SizeC="5" SizeT="57" SizeZ="58"'),  # 16,530
        of_images('PlaneCount="10000"', 'PlaneCount="6385"'),
        of_images('SizeC="8192"', 'SizeT="8193"'),
        of_images('SizeC="0" SizeT="16385"'),
        of_images('SizeC="1234567890"'),
        of_images('SizeC="0000000001"'),  # of ten digits
    ],
    ids=lambda text: text[:40],
)
def test_more_planes_are_refused(text):
    with pytest.raises(ValueError, match=r"^its description declares more than 16,384 planes$"):
        descriptions.check(text)


@pytest.mark.parametrize("begin", ["<Image", "<ome:Image"])
def test_more_images_are_refused(begin):
    with pytest.raises(ValueError, match=r"^its description declares more than 1,024 images: split it$"):
        descriptions.check(of_images(*[""] * 1025).replace("<Image", begin))
