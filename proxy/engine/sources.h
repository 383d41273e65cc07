// SPDX-License-Identifier: GPL-2.0-or-later
//
// Sources that no client has (F1).
#pragma once
#include <algorithm>
#include <cstddef>

#include "proxy/wire/address.h"

namespace synward::engine {

// For a set of this host's own addresses, which nobody else chooses.
struct AddressHash {
  std::size_t operator()(const wire::Address& address) const {
    std::size_t hash = 14695981039346656037U;
    for (const std::uint8_t byte : address.bytes) hash = (hash ^ byte) * 1099511628211U;
    return hash;
  }
};

inline bool is_never_a_source(const wire::Address& source) {
  if (source.is_ipv4()) {
    const auto octets = source.ipv4();
    return octets[0] == 0 || octets[0] == 127 || octets[0] >= 224;  // class D, E, broadcast
  }
  const bool loopback_or_unspecified =
      std::all_of(source.bytes.begin(), source.bytes.end() - 1, [](auto b) { return b == 0; }) &&
      source.bytes[15] <= 1;
  return loopback_or_unspecified || source.bytes[0] == 0xff;
}

}  // namespace synward::engine
