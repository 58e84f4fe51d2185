"""The settings of serving: address and limits."""

from __future__ import annotations

import dataclasses
import ipaddress

from common import settings
from common.settings import FREE, setting


@dataclasses.dataclass(frozen=True)
class Service:
    """Address and limits of the server, and what it shows."""

    host: str = setting(
        "127.0.0.1",
        "Address to listen on; the default is reachable from this machine only. There is no password and no"
        " encryption.",
        resume=FREE,
    )
    port: int = setting(8000, "Port to listen on; 0: any free port.", minimum=0, maximum=65535, resume=FREE)
    queue: int = setting(
        16, "Requests being processed or waiting at once; further ones get status 503.", minimum=1, resume=FREE
    )
    max_mb: int = setting(
        32, "Largest image file in MiB; larger ones are refused.", minimum=1, maximum=2**20, resume=FREE
    )
    max_pixels: int = setting(
        4_194_304,
        "Largest image in pixels, height x width; larger ones are refused.",
        minimum=1,
        maximum=10**12,
        resume=FREE,
    )

    samples: int = setting(
        0,
        "Validation images of each domain that the page shows as examples, the first ones; 0: none. Anyone who can"
        " reach the page can see them.",
        minimum=0,
        maximum=100,
        resume=FREE,
    )
    report: str = setting(
        "auto",
        "Whether the report of a run, with its images, settings and paths, is shown at /report. auto: only if --host is"
        " reachable from this machine only.",
        ("auto", "yes", "no"),
        resume=FREE,
    )

    def __post_init__(self) -> None:
        settings.check(self)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def shows_reports(self) -> bool:
        """Whether the reports of runs are shown."""
        return {"auto": self.is_local, "yes": True, "no": False}[self.report]
