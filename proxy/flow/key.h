// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <array>
#include <cstdint>

#include "proxy/wire/address.h"

namespace synward::flow {

using HashKey = std::array<std::uint64_t, 2>;  // random per process: tables keyed by attackers

// Who: the client, and the listen (index over all services) that it called.
struct ConnectionKey {
  wire::Address client;
  std::uint16_t client_port = 0;
  std::uint16_t listen = 0;
  bool operator==(const ConnectionKey&) const = default;
};

// Who, as the backend sees it: one connection to its endpoint, whichever listen was called.
struct BackendTuple {
  wire::Endpoint client, backend;
  bool operator==(const BackendTuple&) const = default;
};

// SipHash: who does not know the key cannot aim at one bucket.
std::uint64_t keyed_hash(const HashKey& hash_key, const ConnectionKey& key);
std::uint64_t keyed_hash(const HashKey& hash_key, const BackendTuple& tuple);
std::uint64_t keyed_hash(const HashKey& hash_key, const wire::Address& address);

// The network that one attacker is taken to hold: /24 of IPv4, /64 of IPv6.
wire::Address source_prefix(const wire::Address& address);

}  // namespace synward::flow
