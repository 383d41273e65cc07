#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes tests/fuzz/corpus: where the fuzzers start, and what every build tests. Files that a
fuzzer found are kept beside these; they are named after what they broke."""

import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"

FIN, SYN, RST, ACK = 1, 2, 4, 16
PARTIAL, GSO, SUM_FIRST, FROM_CLIENT, BLANK_SACK, RENAME = 2, 4, 8, 16, 32, 64
UNVERIFIED = 1

SACK = bytes([1, 5, 18]) + bytes(range(16)) + b"\1"  # two blocks at an odd offset
TIMESTAMPS = b"\1\1\10\12" + bytes(range(8))
SYN_OPTIONS = b"\2\4\5\264\4\2\10\12" + bytes(8) + b"\1\3\3\7"


def tcp(flags=ACK, options=b"", payload=b"", ack=5001):
    words = 5 + len(options) // 4
    return struct.pack("!HHIIHHHH", 40000, 80, 1001, ack, words << 12 | flags, 500, 0, 0) + options + payload


def ipv4(segment, options=b"", fragment=0x4000, protocol=6):
    ihl = 5 + len(options) // 4
    return struct.pack("!BBHHHBBH4s4s", 0x40 | ihl, 0, ihl * 4 + len(segment), 0, fragment, 64, protocol, 0,
                       bytes([203, 0, 113, 5]), bytes([198, 51, 100, 10])) + options + segment


def ipv6(segment, extensions=(), protocol=6):
    kinds = [kind for kind, _ in extensions] + [protocol]
    chain = b"".join(bytes([after, len(body) // 8]) + body
                     for (_, body), after in zip(extensions, kinds[1:]))
    address = bytes.fromhex("20010db8000000000000000000000005")
    return struct.pack("!IHBB", 6 << 28, len(chain) + len(segment), kinds[0], 64) + address * 2 + chain + segment


def plan(bits=SUM_FIRST | UNVERIFIED, missing=0, scales=0x79, backend_scale=8):
    return struct.pack("!BBBBII", bits, missing, scales, backend_scale, 0x89ABCDEF, 0x1234)


TO_BACKEND = SUM_FIRST | UNVERIFIED | FROM_CLIENT | RENAME
PAD = bytes(6)

SEGMENTS = {
    "ipv4_data": plan() + ipv4(tcp(payload=b"hello")),
    "ipv4_syn_with_options": plan() + ipv4(tcp(SYN, SYN_OPTIONS, ack=0)),
    "ipv4_sack_at_odd_offset": plan(TO_BACKEND) + ipv4(tcp(options=SACK)),
    "ipv4_sack_blanked": plan(TO_BACKEND | BLANK_SACK) + ipv4(tcp(options=SACK, payload=b"x")),
    "ipv4_timestamps_and_sack": plan(TO_BACKEND) + ipv4(tcp(options=TIMESTAMPS + SACK)),
    "ipv4_reset_without_ack": plan(TO_BACKEND) + ipv4(tcp(RST, ack=0)),
    "ipv4_with_ip_options": plan(TO_BACKEND) + ipv4(tcp(), options=b"\1" * 8),
    "ipv4_partial_checksum": plan(PARTIAL | FROM_CLIENT | RENAME) + ipv4(tcp(payload=b"odd")),
    "ipv4_gso_partial_checksum": plan(PARTIAL | GSO) + ipv4(tcp(payload=b"gso" * 100)),
    "ipv4_cut_by_the_queue": plan(missing=4, bits=UNVERIFIED) + ipv4(tcp(payload=b"12345678"))[:-4],
    "ipv4_first_fragment": plan() + ipv4(tcp(), fragment=0x2000),
    "ipv4_option_length_0": plan() + ipv4(tcp(options=b"\2\0\5\264")),
    "ipv4_option_past_the_end": plan() + ipv4(tcp(options=b"\1\1\10\12")),
    "ipv4_option_twice": plan() + ipv4(tcp(options=b"\2\4\5\264" * 2)),
    "ipv4_syn_option_length_0": plan() + ipv4(tcp(SYN, b"\2\4\5\264\3\0\7\1", ack=0)),
    "ipv4_syn_option_past_the_end": plan() + ipv4(tcp(SYN, b"\1\1\10\12", ack=0)),
    "ipv6_syn_options_twice": plan() + ipv6(tcp(SYN, SYN_OPTIONS * 2, ack=0)),
    "ipv4_syn_fin": plan() + ipv4(tcp(SYN | FIN)),
    "ipv6_data": plan(TO_BACKEND) + ipv6(tcp(payload=b"hello")),
    "ipv6_extension_headers": plan(TO_BACKEND) + ipv6(tcp(), [(0, PAD), (60, bytes(14)), (43, PAD)]),
    "ipv6_chain_too_long": plan() + ipv6(tcp(), [(60, PAD)] * 9),
    "ipv6_segments_left": plan() + ipv6(tcp(), [(43, b"\0\1\0\0\0\0")]),
    "ipv6_atomic_fragment": plan() + ipv6(tcp(), [(44, PAD)]),
}

def error_plan(bits=SUM_FIRST | UNVERIFIED, missing=0):
    return struct.pack("!BBI", bits, missing, 0x89ABCDEF)


def error4(quote, kind=3, code=4, options=b""):
    return ipv4(struct.pack("!BBHHH", kind, code, 0, 0, 1280) + quote, options, protocol=1)


def error6(quote, kind=2, extensions=()):
    return ipv6(struct.pack("!BBHI", kind, 0, 0, 1280) + quote, extensions, protocol=58)


def back4(packet):
    """The addresses and ports of a packet the other way round, so that an error about it comes to
    ipv4()'s destination."""
    return packet[:12] + packet[16:20] + packet[12:16] + packet[22:24] + packet[20:22] + packet[24:]


FOR_BACKEND = SUM_FIRST | UNVERIFIED | FROM_CLIENT
LONG = b"x" * 600

ERRORS = {
    "ipv4_too_big": error_plan() + error4(back4(ipv4(tcp(payload=LONG)))[:548]),
    "ipv4_too_big_to_backend": error_plan(FOR_BACKEND) + error4(back4(ipv4(tcp(payload=LONG)))[:548]),
    "ipv4_eight_bytes_quoted": error_plan() + error4(back4(ipv4(tcp()))[:28]),
    "ipv4_seven_bytes_quoted": error_plan() + error4(back4(ipv4(tcp()))[:27]),
    "ipv4_checksum_quoted_in_half": error_plan() + error4(back4(ipv4(tcp()))[:37]),
    "ipv4_reset_without_ack": error_plan() + error4(back4(ipv4(tcp(RST, ack=0)))),
    "ipv4_unreachable_with_extensions": error_plan() + error4(
        back4(ipv4(tcp())).ljust(128, b"\0") + b"\x20\0\0\0\0\x08\1\1\0\0\1\1", code=1),
    "ipv4_time_exceeded": error_plan(FOR_BACKEND) + error4(back4(ipv4(tcp())), kind=11),
    "ipv4_partial_checksum": error_plan(PARTIAL) + error4(back4(ipv4(tcp()))),
    "ipv4_echo": error_plan() + error4(back4(ipv4(tcp())), kind=8),
    "ipv4_for_somebody_else": error_plan() + error4(ipv4(tcp())),
    "ipv4_quotes_options": error_plan() + error4(back4(ipv4(tcp(), options=b"\1" * 4))),
    "ipv4_quotes_a_later_fragment": error_plan() + error4(back4(ipv4(tcp(), fragment=9))),
    "ipv4_with_ip_options": error_plan(FOR_BACKEND) + error4(back4(ipv4(tcp())), options=b"\1" * 8),
    "ipv4_cut_by_the_queue": error_plan(UNVERIFIED, 8) + error4(back4(ipv4(tcp(payload=LONG))))[:-8],
    "ipv6_too_big": error_plan() + error6(ipv6(tcp(payload=LONG * 3))[:1232]),
    "ipv6_too_big_to_backend": error_plan(FOR_BACKEND) + error6(ipv6(tcp(payload=LONG * 3))[:1232]),
    "ipv6_unreachable": error_plan() + error6(ipv6(tcp()), kind=1),
    "ipv6_eight_bytes_quoted": error_plan() + error6(ipv6(tcp())[:48]),
    "ipv6_seven_bytes_quoted": error_plan() + error6(ipv6(tcp())[:47]),
    "ipv6_extension_headers": error_plan() + error6(ipv6(tcp()), extensions=[(0, PAD), (60, PAD)]),
    "ipv6_quotes_extension_headers": error_plan() + error6(ipv6(tcp(), [(60, PAD)])),
}

CLIENT, BACKEND = 0, 1
HAS_ACK, HAS_FIN, HAS_RST, FAR = 2, 4, 8, 16


def sent(side, length=0, bits=HAS_ACK, seq=0, ack=0, window=64240, scale=0):
    """Of a segment: distances of SEQ and ACK from what is next in order."""
    return struct.pack("!BBhhHH", side | bits, scale, seq, ack, length, window)


FIRST = struct.pack("!II", 1001, 0xFFFFFFF0)
FIN_ACK = HAS_ACK | HAS_FIN

CONNECTIONS = {
    "orderly_close": [sent(CLIENT, 500), sent(BACKEND, 1400), sent(CLIENT, bits=FIN_ACK),
                      sent(BACKEND), sent(BACKEND, bits=FIN_ACK), sent(CLIENT)],
    "backend_closes_first": [sent(BACKEND, 10, FIN_ACK), sent(CLIENT, 5, FIN_ACK), sent(BACKEND)],
    "simultaneous_close": [sent(CLIENT, bits=FIN_ACK), sent(BACKEND, bits=FIN_ACK, ack=-1),
                           sent(CLIENT), sent(BACKEND)],
    "half_close": [sent(CLIENT, bits=FIN_ACK)] + [sent(BACKEND, 60000), sent(CLIENT)] * 5,
    "retransmissions": [sent(CLIENT, 1000), sent(CLIENT, 1000, seq=-1000), sent(BACKEND)],
    "keep_alive": [sent(CLIENT, 1, seq=-1), sent(BACKEND)],
    "zero_window_probe": [sent(CLIENT, 64240), sent(BACKEND, window=0), sent(CLIENT, 1), sent(BACKEND)],
    "largest_window": [sent(BACKEND, window=65535, scale=14),
                       sent(CLIENT, 65535, HAS_ACK | FAR, seq=16383), sent(BACKEND)],
    "exact_reset": [sent(CLIENT, 1000), sent(CLIENT, bits=HAS_RST), sent(BACKEND, 10)],
    "blind_reset": [sent(BACKEND, bits=HAS_RST, seq=20), sent(BACKEND, bits=HAS_RST | FAR, seq=16384)],
    "reset_in_time_wait": [sent(CLIENT, bits=FIN_ACK), sent(BACKEND, bits=FIN_ACK), sent(CLIENT),
                           sent(BACKEND, bits=HAS_RST)],
    "forged_fin": [sent(CLIENT, bits=FIN_ACK, seq=32767), sent(CLIENT, 30, seq=-32768), sent(BACKEND)],
}


def write(target, inputs):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in inputs.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write("parse_segment", SEGMENTS)
    write("translate_error", ERRORS)
    write("track_connection", {name: FIRST + b"".join(all_sent) for name, all_sent in CONNECTIONS.items()})
