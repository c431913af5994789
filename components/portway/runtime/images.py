"""Images in messages: data URIs only, so that nobody can make a model server fetch an address."""

import base64
import binascii
import re

from .errors import invalid, unsupported_value

_IMAGE = re.compile(r"data:image/(png|jpe?g|gif|webp);base64,(.+)", re.DOTALL)


def read_image(url: str, path: str) -> tuple[str, bytes]:
    """The format (png, jpeg, gif or webp) and the bytes of the image part at `path`.

    Raises:
        WireError: 400 naming the part, when it is no data URI of such an image.
    """
    param = f"{path}.image_url"
    found = _IMAGE.fullmatch(url)
    if found is None:
        raise unsupported_value(
            param, f"'{param}.url' must be a base64 data URI of a png, jpeg, gif or webp image."
        )
    try:
        data = base64.b64decode(found[2], validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"'{param}.url' is not valid base64.", param) from None
    return found[1].replace("jpg", "jpeg"), data
