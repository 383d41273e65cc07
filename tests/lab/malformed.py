# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad packets of every kind: (name, family, frame, reason).

The reason is synward's, or KERNEL: the kernel itself discards the packet before any rule sees it,
and all that is asked of synward is that it says nothing.
"""

import itertools
import struct

from . import network
from .capture import ACK, IP, SYN, TCP, Ether, IPv6

from scapy.layers.inet6 import IPv6ExtHdrFragment  # noqa: E402  pylint: disable=wrong-import-order
from scapy.packet import Raw  # noqa: E402  pylint: disable=wrong-import-order

KERNEL = "kernel"
_ports = itertools.count(30000)


def _frame(layer):
    return bytes(Ether(src=network.MAC["c0"], dst=network.MAC["m0"]) / layer)


def _ip(family, source=None, **fields):
    spoofed = "198.18.9.9" if family == 4 else "2001:db8:f::9"
    kind = IP if family == 4 else IPv6
    return kind(src=source or spoofed, dst=network.SERVICE[family], **fields)


def _tcp(**fields):
    return TCP(**{"sport": next(_ports), "dport": 80, "flags": "S", "seq": 1000, "options": [("MSS", 1460)], **fields})


def _raw_options(family, options, flags=ACK):
    """A segment whose options are these very bytes, padded to four, with a right checksum."""
    options += b"\0" * (-len(options) % 4)
    ip = _ip(family)
    header = bytearray(struct.pack("!HHIIBBHHH", next(_ports), 80, 1000, 0, (20 + len(options)) // 4 << 4, flags,
                                   64240, 0, 0) + options)
    header[16:18] = _checksum(ip, header)
    return _frame(_with_protocol(ip, family) / Raw(bytes(header)))


def _with_protocol(ip, family):
    if family == 4:
        ip.proto = 6
    else:
        ip.nh = 6
    return ip


def _checksum(ip, segment):
    import socket  # pylint: disable=import-outside-toplevel
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    pseudo = socket.inet_pton(family, ip.src) + socket.inet_pton(family, ip.dst) + struct.pack("!II", len(segment), 6)
    data = pseudo + bytes(segment) + b"\0" * (len(segment) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~total & 0xffff)


def _patched_tcp(family, offset, value):
    """A good SYN with one byte of its TCP header changed, and the checksum right for it."""
    ip = _ip(family)
    header = bytearray(bytes(_with_protocol(ip.copy(), family) / _tcp()))[20 if family == 4 else 40:]
    header[offset] = value
    header[16:18] = b"\0\0"
    header[16:18] = _checksum(ip, header)
    return _frame(_with_protocol(ip, family) / Raw(bytes(header)))


def _truncated(family, length):
    segment = bytes(_tcp())[:length]
    return _frame(_with_protocol(_ip(family), family) / Raw(segment))


def _both():
    for family in (4, 6):
        yield "wrong_checksum", family, _frame(_ip(family) / _tcp(chksum=0x1234)), "bad_checksum"
        yield "header_cut_after_flags", family, _truncated(family, 16), "bad_tcp_header"
        yield "data_offset_4", family, _patched_tcp(family, 12, 0x40), "bad_tcp_header"
        yield "data_offset_past_end", family, _patched_tcp(family, 12, 0xf0), "bad_tcp_header"
        yield "option_length_0", family, _raw_options(family, b"\x02\x00\x05\xb4"), "bad_options"
        yield "option_length_1", family, _raw_options(family, b"\x02\x01\x05\xb4"), "bad_options"
        yield "option_past_end", family, _raw_options(family, b"\x01\x01\x02\x04"), "bad_options"
        yield "option_without_length", family, _raw_options(family, b"\x01\x01\x01\x03"), "bad_options"
        yield "option_of_wrong_size", family, _raw_options(family, b"\x02\x03\x05\x01"), "bad_options"
        yield "duplicate_mss", family, _raw_options(family, b"\x02\x04\x05\xb4\x02\x04\x02\x18"), "bad_options"
        yield "duplicate_window_scale", family, _raw_options(family, b"\x03\x03\x07\x03\x03\x01\x01\x01"), "bad_options"
        yield "syn_fin", family, _frame(_ip(family) / _tcp(flags="SF")), "syn_fin"
        yield "syn_rst", family, _frame(_ip(family) / _tcp(flags="SR")), "syn_rst"
        yield "no_flags", family, _frame(_ip(family) / _tcp(flags=0)), "bad_flags"
        yield "source_port_0", family, _frame(_ip(family) / _tcp(sport=0)), "port_zero"
        yield "source_is_the_service", family, _frame(_ip(family, network.SERVICE[family]) / _tcp()), "martian_source"
        yield "source_is_the_middlebox", family, _frame(
            _ip(family, network.GATEWAY_CLIENT[family]) / _tcp()), "martian_source"
        yield "ack_of_nothing", family, _frame(_ip(family) / _tcp(flags="A", ack=77, options=[])), "unknown_segment"
        yield "rst_of_nothing", family, _frame(_ip(family) / _tcp(flags="R", options=[])), "unknown_segment"


def _only_ip4():
    for name, source in (("loopback", "127.0.0.1"), ("multicast", "224.0.0.1"), ("broadcast", "255.255.255.255"),
                         ("unspecified", "0.0.0.0")):
        yield f"source_{name}", 4, _frame(_ip(4, source) / _tcp()), "martian_source"
    # The rest of it never comes: the kernel waits, and gives up.
    yield "first_fragment", 4, _frame(_ip(4, flags="MF") / _tcp()), KERNEL
    yield "header_length_4", 4, _frame(_ip(4, ihl=4) / _tcp()), KERNEL
    yield "version_6_in_ip4", 4, _frame(_ip(4, version=6) / _tcp()), KERNEL
    yield "total_length_past_end", 4, _frame(_ip(4, len=400) / _tcp()), KERNEL
    yield "wrong_ip_checksum", 4, _frame(_ip(4, chksum=0x4321) / _tcp()), KERNEL


def _only_ip6():
    yield "source_unspecified", 6, _frame(_ip(6, "::") / _tcp()), "martian_source"
    yield "source_loopback", 6, _frame(_ip(6, "::1") / _tcp()), KERNEL
    yield "source_multicast", 6, _frame(_ip(6, "ff02::1") / _tcp()), KERNEL
    yield "first_fragment", 6, _frame(_ip(6) / IPv6ExtHdrFragment(m=1, offset=0, id=7) / _tcp()), KERNEL
    yield "payload_past_end", 6, _frame(_ip(6, plen=400) / _tcp()), KERNEL


_MSS, _WINDOW_SCALE, _SACK_PERMITTED = b"\2\4\5\xb4", b"\3\3\7", b"\4\2"
_TIMESTAMPS = b"\x08\x0a" + bytes(range(8))

# Options of SYNs that no server refuses.
OPTIONS_OF_SYNS = {
    "mss_twice": _MSS + b"\2\4\2\x18",
    "window_scale_twice": _MSS + _WINDOW_SCALE + b"\3\3\1",
    "sack_permitted_twice": _MSS + _SACK_PERMITTED * 2,
    "timestamps_twice": _MSS + _TIMESTAMPS * 2,
    "mss_too_short": b"\2\3\5" + _WINDOW_SCALE,
    "mss_too_long": b"\2\5\5\xb4\0" + _SACK_PERMITTED,
    "mss_of_zero": b"\2\4\0\0" + _SACK_PERMITTED,
    "window_scale_too_short": _MSS + b"\3\2" + _SACK_PERMITTED,
    "window_scale_too_long": _MSS + b"\3\4\7\1" + _SACK_PERMITTED,
    "sack_permitted_too_long": _MSS + b"\4\3\1" + _WINDOW_SCALE,
    "timestamps_too_short": _MSS + b"\x08\x09" + bytes(7) + _SACK_PERMITTED,
    "timestamps_too_long": _MSS + b"\x08\x0b" + bytes(9) + _SACK_PERMITTED,
    "sack_of_no_block": _MSS + b"\5\2" + _WINDOW_SCALE,
    "unknown_of_length_0": _MSS + b"\xc8\0" + _SACK_PERMITTED,
    "unknown_of_length_1": _MSS + _WINDOW_SCALE + b"\xc8\1" + _SACK_PERMITTED,
    "unknown_past_the_end": _MSS + _SACK_PERMITTED + b"\xc8\x0a",
    "mss_of_length_0": _WINDOW_SCALE + b"\2\0\5\xb4",
    "mss_past_the_end": _SACK_PERMITTED + b"\2\4",
    "without_length": _MSS + b"\1\1\1\3",
}


def syns(family):
    """By their source ports, the names of such SYNs and their frames."""
    frames = {name: _raw_options(family, options, SYN) for name, options in OPTIONS_OF_SYNS.items()}
    return {Ether(frame)[TCP].sport: (name, frame) for name, frame in frames.items()}


def kinds():
    return [*_both(), *_only_ip4(), *_only_ip6()]
