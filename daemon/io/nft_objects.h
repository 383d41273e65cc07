// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: tables, chains, sets and counters as messages of a transaction.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/io/nft_batch.h"
#include "daemon/io/nft_rule.h"
#include "proxy/wire/address.h"

namespace synward::io {

// nft's numbers for the types of set keys: the kernel only stores them, `nft list` reads them.
struct NftType {
  static constexpr std::uint32_t integer = 4;
  static constexpr std::uint32_t ipv4_addr = 7;
  static constexpr std::uint32_t ipv6_addr = 8;
  static constexpr std::uint32_t inet_service = 13;
  static constexpr std::uint32_t icmp_type = 14;
  static constexpr std::uint32_t icmpv6_type = 29;
  static constexpr std::uint32_t ifname = 41;
  static constexpr std::uint32_t concatenation(std::uint32_t first, std::uint32_t second) {
    return first << 6 | second;
  }
};

// An element of a set: up to an IPv6 address and a port, each padded to four bytes.
struct NftKey {
  std::array<std::uint8_t, 20> bytes{};
  std::uint32_t length = 0;
  auto operator<=>(const NftKey&) const = default;
};
// All of one length, sorted and without duplicates.
using NftKeys = std::vector<NftKey>;

// The ICMP types of the family that quote the packet which they are about, redirects excepted.
NftKeys icmp_error_keys(std::uint16_t family);

NftKeys interface_keys(const std::vector<std::string>& names);
// Those of the family (NFPROTO_IPV4 or NFPROTO_IPV6): the address; the address, the port and two
// zero bytes.
NftKeys address_keys(const std::vector<wire::Endpoint>& endpoints, std::uint16_t family);
NftKeys address_keys(const std::vector<wire::Address>& addresses, std::uint16_t family);
NftKeys endpoint_keys(const std::vector<wire::Endpoint>& endpoints, std::uint16_t family);

// What the keys of a set are.
struct NftKeyType {
  // NOLINTNEXTLINE(google-explicit-constructor): most are no more than a number
  constexpr NftKeyType(std::uint32_t type) : number(type) {}
  // Two fields of the transport header of which `nft` knows nothing.
  constexpr explicit NftKeyType(const std::array<NftField, 2>& fields)
      : number(NftType::concatenation(NftType::integer, NftType::integer)), raw_fields(fields) {}

  std::uint32_t number;
  std::optional<std::array<NftField, 2>> raw_fields;
};

struct NftBaseChain {
  const char* name;
  std::uint32_t hook;
  std::int32_t priority;
};

// Appends to a transaction what belongs to one table.
class NftObjects {
 public:
  NftObjects(NftBatch& batch, const char* table, std::uint16_t family);

  void add_owned_table();
  void delete_table();
  void delete_rules();  // all of the table
  void delete_set(const std::string& name);
  void add_base_chain(const NftBaseChain& chain);
  void add_chain(const std::string& name);
  void add_set(const char* name, const NftKeyType& type, const NftKeys& keys);
  // {0: goto PREFIX0, 1: goto PREFIX1, ...}, for the one rule that is added next.
  NftMapId add_verdict_map(const std::string& prefix, unsigned size);
  void add_counter(const char* name);
  void add_rule(const NftRule& rule, const std::string& what, NftNeed need = NftNeed::nothing);
  // Of the sets that were added.
  const std::vector<std::string>& set_names() const { return set_names_; }

 private:
  NftStep step(std::uint16_t type, std::uint16_t flags, const std::string& what) const;

  NftBatch& batch_;
  const char* table_;
  std::uint16_t family_;
  std::vector<std::string> set_names_;
};

}  // namespace synward::io
