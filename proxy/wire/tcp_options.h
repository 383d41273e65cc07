// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "proxy/shared/reasons.h"

namespace synward::wire {

using Reason = ::synward_reason;

inline constexpr std::size_t tcp_options_max = 40;
inline constexpr std::uint8_t window_scale_max = 14;  // RFC 7323 2.3
// What a SYN says that has no MSS option (RFC 9293 3.7.1).
constexpr std::uint16_t default_mss(bool ipv4) {
  return ipv4 ? 536 : 1220;
}

struct Timestamps {
  std::uint32_t value = 0;  // TSval
  std::uint32_t echo = 0;   // TSecr
};

// The options of one segment that synward understands. Offsets are from the start of the TCP
// header and 0 if the option is absent (no option lies there).
struct TcpOptions {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;  // 0..14: more is read as 14 (RFC 7323 2.3)
  bool sack_permitted = false;
  bool fast_open = false;      // RFC 7413; refused by leaving it out of the answer
  bool multipath = false;      // RFC 8684; likewise
  bool authenticated = false;  // TCP-MD5 (RFC 2385) or TCP-AO (RFC 5925): cannot be translated
  std::optional<Timestamps> timestamps;
  std::uint8_t timestamps_offset = 0;  // of TSval
  std::uint8_t sack_offset = 0;        // of the first block's left edge
  std::uint8_t sack_blocks = 0;
};

// What becomes of an option whose length is not its kind's, or that is there already.
enum class BadOption : std::uint8_t {
  refused,  // with its segment: two readers could take different ones
  skipped,  // so that the first good one counts; one without an end ends the list
};

// `tcp_header` is the whole TCP header, data offset already checked. Every length is checked
// against the end. An MSS of 0 says nothing.
std::expected<TcpOptions, Reason> parse_tcp_options(std::span<const std::uint8_t> tcp_header,
                                                    BadOption bad);

// What a segment of our own carries.
struct OptionsToSend {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;
  bool sack_permitted = false;
  std::optional<Timestamps> timestamps;
};

// Writes them padded with NOP to a multiple of 4, at least `length_min` bytes (a multiple of 4,
// at most 40); returns the length.
std::size_t write_tcp_options(std::span<std::uint8_t, tcp_options_max> at,
                              const OptionsToSend& options, std::size_t length_min);

}  // namespace synward::wire
