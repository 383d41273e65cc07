// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/nft_objects.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "daemon/io/nft_owned.h"

namespace synward::io {
namespace {

using Table = NftOwned<nftnl_table, nftnl_table_free>;
using Chain = NftOwned<nftnl_chain, nftnl_chain_free>;
using Rule = NftOwned<nftnl_rule, nftnl_rule_free>;
using Object = NftOwned<nftnl_obj, nftnl_obj_free>;

NftKeys sorted(NftKeys keys) {
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
  return keys;
}

bool belongs(const wire::Endpoint& endpoint, std::uint16_t family) {
  return endpoint.address.is_ipv4() == (family == NFPROTO_IPV4);
}

NftKey address_key(const wire::Address& address) {
  const std::size_t skipped = address.is_ipv4() ? 12 : 0;
  NftKey key;
  key.length = static_cast<std::uint32_t>(address.bytes.size() - skipped);
  std::copy(address.bytes.begin() + skipped, address.bytes.end(), key.bytes.begin());
  return key;
}

NftKey endpoint_key(const wire::Endpoint& endpoint) {
  NftKey key = address_key(endpoint.address);
  key.bytes[key.length] = static_cast<std::uint8_t>(endpoint.port >> 8);
  key.bytes[key.length + 1] = static_cast<std::uint8_t>(endpoint.port & 0xff);
  key.length += 4;
  return key;
}

}  // namespace

NftKeys icmp_error_keys(std::uint16_t family) {
  // Destination unreachable, time exceeded, parameter problem (RFC 792); in RFC 4443 packet too
  // big is a type of its own. Source quench is no more (RFC 6633).
  const std::vector<std::uint8_t> types = family == NFPROTO_IPV4
                                              ? std::vector<std::uint8_t>{3, 11, 12}
                                              : std::vector<std::uint8_t>{1, 2, 3, 4};
  NftKeys keys;
  for (const std::uint8_t type : types) keys.push_back({.bytes = {type}, .length = 1});
  return sorted(std::move(keys));
}

NftKeys interface_keys(const std::vector<std::string>& names) {
  NftKeys keys;
  for (const std::string& name : names) {
    NftKey key{.bytes = {}, .length = IFNAMSIZ};  // zero-padded, so that the match is exact
    std::copy_n(name.begin(), std::min<std::size_t>(name.size(), IFNAMSIZ - 1), key.bytes.begin());
    keys.push_back(key);
  }
  return sorted(std::move(keys));
}

NftKeys address_keys(const std::vector<wire::Endpoint>& endpoints, std::uint16_t family) {
  NftKeys keys;
  for (const wire::Endpoint& endpoint : endpoints)
    if (belongs(endpoint, family)) keys.push_back(address_key(endpoint.address));
  return sorted(std::move(keys));
}

NftKeys address_keys(const std::vector<wire::Address>& addresses, std::uint16_t family) {
  std::vector<wire::Endpoint> endpoints;
  endpoints.reserve(addresses.size());
  for (const wire::Address& address : addresses) endpoints.push_back({address, 0});
  return address_keys(endpoints, family);
}

NftKeys endpoint_keys(const std::vector<wire::Endpoint>& endpoints, std::uint16_t family) {
  NftKeys keys;
  for (const wire::Endpoint& endpoint : endpoints)
    if (belongs(endpoint, family)) keys.push_back(endpoint_key(endpoint));
  return sorted(std::move(keys));
}

NftObjects::NftObjects(NftBatch& batch, const char* table, std::uint16_t family)
    : batch_(batch), table_(table), family_(family) {}

NftStep NftObjects::step(std::uint16_t type, std::uint16_t flags, const std::string& what) const {
  const char* const family = family_ == NFPROTO_IPV4 ? "ip" : "ip6";
  return {.what = fmt::format("table {} {}{}{}", family, table_, what.empty() ? "" : ", ", what),
          .type = type,
          .family = family_,
          .flags = flags};
}

void NftObjects::add_owned_table() {
  const Table table = nft_checked<Table>(nftnl_table_alloc());
  nftnl_table_set_u32(table.get(), NFTNL_TABLE_FAMILY, family_);
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, table_);
  nftnl_table_set_u32(table.get(), NFTNL_TABLE_FLAGS, NFT_TABLE_F_OWNER);
  batch_.add(step(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, ""),
             [&](nlmsghdr* message) { nftnl_table_nlmsg_build_payload(message, table.get()); });
}

void NftObjects::delete_table() {
  const Table table = nft_checked<Table>(nftnl_table_alloc());
  nftnl_table_set_u32(table.get(), NFTNL_TABLE_FAMILY, family_);
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, table_);
  batch_.add(step(NFT_MSG_DELTABLE, 0, "its deletion"),
             [&](nlmsghdr* message) { nftnl_table_nlmsg_build_payload(message, table.get()); });
}

void NftObjects::delete_rules() {
  const Rule any = nft_checked<Rule>(nftnl_rule_alloc());
  nftnl_rule_set_u32(any.get(), NFTNL_RULE_FAMILY, family_);
  nftnl_rule_set_str(any.get(), NFTNL_RULE_TABLE, table_);
  batch_.add(step(NFT_MSG_DELRULE, 0, "deletion of its rules"),
             [&](nlmsghdr* message) { nftnl_rule_nlmsg_build_payload(message, any.get()); });
}

void NftObjects::add_base_chain(const NftBaseChain& base) {
  const Chain chain = nft_checked<Chain>(nftnl_chain_alloc());
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_FAMILY, family_);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, table_);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, base.name);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, "filter");
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, base.hook);
  nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, base.priority);
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_POLICY, NF_ACCEPT);
  batch_.add(step(NFT_MSG_NEWCHAIN, NLM_F_CREATE, fmt::format("chain {}", base.name)),
             [&](nlmsghdr* message) { nftnl_chain_nlmsg_build_payload(message, chain.get()); });
}

void NftObjects::add_chain(const std::string& name) {
  const Chain chain = nft_checked<Chain>(nftnl_chain_alloc());
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_FAMILY, family_);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, table_);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, name.c_str());
  batch_.add(step(NFT_MSG_NEWCHAIN, NLM_F_CREATE, fmt::format("chain {}", name)),
             [&](nlmsghdr* message) { nftnl_chain_nlmsg_build_payload(message, chain.get()); });
}

void NftObjects::add_counter(const char* name) {
  const Object counter = nft_checked<Object>(nftnl_obj_alloc());
  nftnl_obj_set_u32(counter.get(), NFTNL_OBJ_FAMILY, family_);
  nftnl_obj_set_str(counter.get(), NFTNL_OBJ_TABLE, table_);
  nftnl_obj_set_str(counter.get(), NFTNL_OBJ_NAME, name);
  nftnl_obj_set_u32(counter.get(), NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
  nftnl_obj_set_u64(counter.get(), NFTNL_OBJ_CTR_PKTS, 0);
  batch_.add(step(NFT_MSG_NEWOBJ, NLM_F_CREATE, fmt::format("counter {}", name)),
             [&](nlmsghdr* message) { nftnl_obj_nlmsg_build_payload(message, counter.get()); });
}

void NftObjects::add_rule(const NftRule& rule, const std::string& what, NftNeed need) {
  NftStep added = step(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "rule: " + what);
  added.need = need;
  batch_.add(std::move(added), [&](nlmsghdr* message) {
    nftnl_rule_nlmsg_build_payload(message, const_cast<nftnl_rule*>(rule.get()));
  });
}

}  // namespace synward::io
