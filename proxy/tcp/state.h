// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace synward::tcp {

// RFC 9293 3.3.2, in its order.
enum class State : std::uint8_t {
  listen,
  syn_sent,
  syn_received,
  established,
  fin_wait_1,
  fin_wait_2,
  close_wait,
  closing,
  last_ack,
  time_wait,
  closed,
};

inline constexpr std::size_t state_count = 11;

// As in connections{state="..."}.
inline constexpr std::array<std::string_view, state_count> state_names{
    "listen",     "syn_sent", "syn_received", "established", "fin_wait_1", "fin_wait_2",
    "close_wait", "closing",  "last_ack",     "time_wait",   "closed"};

}  // namespace synward::tcp
