// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <chrono>
#include <cstdint>

#include "proxy/flow/key.h"
#include "proxy/time.h"

namespace synward::flow {

using namespace std::chrono_literals;

inline constexpr HashKey test_hash_key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
inline constexpr Instant boot{1h};

// 10.a.b.c, from the lower 24 bits.
inline wire::Address ipv4_client(std::uint32_t number) {
  const std::array<std::uint8_t, 4> octets{10, static_cast<std::uint8_t>(number >> 16),
                                           static_cast<std::uint8_t>(number >> 8),
                                           static_cast<std::uint8_t>(number)};
  return wire::Address::from_ipv4(octets);
}

// One client per number; successive numbers are of different /24.
inline ConnectionKey spread_key(std::uint32_t number) {
  const std::uint32_t swapped = (number & 0xff) << 16 | (number & 0xff00) | (number >> 16 & 0xff);
  return {.client = ipv4_client(swapped),
          .client_port = static_cast<std::uint16_t>(1024 + (number >> 24)),
          .listen = 0};
}

}  // namespace synward::flow
