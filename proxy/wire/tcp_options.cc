// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/wire/tcp_options.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "proxy/wire/bytes.h"

namespace synward::wire {
namespace {

// IANA "TCP Option Kind Numbers".
enum Kind : std::uint8_t {
  kind_end = 0,
  kind_nop = 1,
  kind_mss = 2,
  kind_window_scale = 3,
  kind_sack_permitted = 4,
  kind_sack = 5,
  kind_timestamps = 8,
  kind_md5 = 19,
  kind_authentication = 29,
  kind_multipath = 30,
  kind_fast_open = 34,
};

constexpr std::size_t tcp_header_min = 20;

// Reads the one option at `offset` of `header`; false if its length is not what its kind demands
// or it is there already.
bool read_option(std::span<const std::uint8_t> header, std::size_t offset, std::size_t length,
                 TcpOptions& options) {
  const std::uint8_t* at = header.data() + offset;
  switch (at[0]) {
    case kind_mss:
      if (length != 4 || options.mss) return false;
      if (const std::uint16_t mss = load_be16(at + 2); mss != 0) options.mss = mss;
      return true;
    case kind_window_scale:
      if (length != 3 || options.window_scale) return false;
      options.window_scale = std::min(at[2], window_scale_max);
      return true;
    case kind_sack_permitted:
      if (length != 2 || options.sack_permitted) return false;
      options.sack_permitted = true;
      return true;
    case kind_sack:
      if (length < 10 || (length - 2) % 8 != 0 || options.sack_blocks != 0) return false;
      options.sack_offset = static_cast<std::uint8_t>(offset + 2);
      options.sack_blocks = static_cast<std::uint8_t>((length - 2) / 8);
      return true;
    case kind_timestamps:
      if (length != 10 || options.timestamps) return false;
      options.timestamps = Timestamps{load_be32(at + 2), load_be32(at + 6)};
      options.timestamps_offset = static_cast<std::uint8_t>(offset + 2);
      return true;
    case kind_md5:
    case kind_authentication:
      options.authenticated = true;
      return true;
    case kind_multipath:
      options.multipath = true;
      return true;
    case kind_fast_open:
      options.fast_open = true;
      return true;
    default:
      return true;  // unknown: to be ignored (RFC 9293 3.2)
  }
}

}  // namespace

std::expected<TcpOptions, Reason> parse_tcp_options(std::span<const std::uint8_t> tcp_header,
                                                    BadOption bad) {
  TcpOptions options;
  std::size_t offset = tcp_header_min;
  while (offset < tcp_header.size()) {
    const std::uint8_t kind = tcp_header[offset];
    if (kind == kind_end) break;
    if (kind == kind_nop) {
      ++offset;
      continue;
    }
    const std::size_t length = offset + 1 < tcp_header.size() ? tcp_header[offset + 1] : 0;
    const bool ends = length >= 2 && offset + length <= tcp_header.size();
    const bool good = ends && read_option(tcp_header, offset, length, options);
    if (!good && bad == BadOption::refused) return std::unexpected(synward_reason_bad_options);
    if (!ends) break;
    offset += length;
  }
  return options;
}

std::size_t write_tcp_options(std::span<std::uint8_t, tcp_options_max> at,
                              const OptionsToSend& options, std::size_t length_min) {
  std::size_t length = 0;
  const auto put = [&](std::initializer_list<std::uint8_t> bytes) {
    std::ranges::copy(bytes, at.begin() + static_cast<std::ptrdiff_t>(length));
    length += bytes.size();
  };
  if (options.mss) {
    put({kind_mss, 4, static_cast<std::uint8_t>(*options.mss >> 8),
         static_cast<std::uint8_t>(*options.mss)});
  }
  if (options.sack_permitted) put({kind_sack_permitted, 2});
  if (options.timestamps) {
    // Two bytes in front align TSval: the SACK-permitted option's own, else NOPs when there is
    // nothing else to fit in (a segment with data carries only timestamps).
    if (length == 0 && !options.window_scale) put({kind_nop, kind_nop});
    put({kind_timestamps, 10});
    store_be32(at.data() + length, options.timestamps->value);
    store_be32(at.data() + length + 4, options.timestamps->echo);
    length += 8;
  }
  if (options.window_scale) put({kind_window_scale, 3, *options.window_scale});
  const std::size_t padded = std::max((length + 3) & ~std::size_t{3}, length_min);
  assert(padded <= tcp_options_max && padded % 4 == 0);
  std::memset(at.data() + length, kind_nop, padded - length);
  return padded;
}

}  // namespace synward::wire
