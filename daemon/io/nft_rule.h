// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: the parts of a rule, in the words of `nft`.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct nftnl_rule;
struct nftnl_expr;

namespace synward::io {

// Registers are 32 bits wide here; n names bytes 4n.. of the register file. A field narrower
// than its registers is padded with zeros by the kernel (nft_payload_eval).
using NftRegister = std::uint32_t;

struct NftField {
  std::uint32_t offset;
  std::uint32_t length;
};

// An anonymous map of the same transaction.
struct NftMapId {
  std::uint32_t number;
};
inline constexpr const char* anonymous_map_name = "__map%d";  // the kernel chooses the number

struct NftHash {
  NftRegister source;
  std::uint32_t length;  // bytes, from `source` on
  std::uint32_t modulus;
  std::uint32_t seed;
  NftRegister destination;
};

struct NftRuleDeleter {
  void operator()(nftnl_rule* rule) const;
};

// A rule under construction: each call appends an expression; the kernel evaluates them in order
// and leaves the rule at the first that does not match.
class NftRule {
 public:
  NftRule(std::uint32_t family, const char* table, const std::string& chain);

  NftRule& meta(std::uint32_t key, NftRegister to = 0);
  NftRule& network_field(NftField field, NftRegister to = 0);
  NftRule& transport_field(NftField field, NftRegister to = 0);
  NftRule& equals(std::span<const std::uint8_t> bytes);
  NftRule& differs(std::span<const std::uint8_t> bytes);
  NftRule& masked(std::span<const std::uint8_t> mask);
  NftRule& in_set(const char* set);
  NftRule& not_in_set(const char* set);
  NftRule& hash(const NftHash& hash);
  NftRule& verdict_map(NftMapId map, NftRegister key);
  NftRule& count(const char* counter);
  NftRule& notrack();
  NftRule& tproxy(std::uint16_t port);  // of a rule with the family that was given
  NftRule& xt_socket_match();           // xt_socket revision 1
  NftRule& accept();
  NftRule& drop();
  NftRule& jump(const std::string& chain);
  NftRule& go_to(const std::string& chain);
  // Both pass what comes while nobody has the queue.
  NftRule& queue(std::uint16_t number);            // the native expression
  NftRule& queue_xt_target(std::uint16_t number);  // xt_NFQUEUE revision 3

  const nftnl_rule* get() const { return rule_.get(); }
  nftnl_rule* get() { return rule_.get(); }

 private:
  NftRule& add(nftnl_expr* expression);
  NftRule& payload(std::uint32_t base, NftField field, NftRegister to);
  NftRule& compare(std::uint32_t operation, std::span<const std::uint8_t> bytes);
  NftRule& lookup(const char* set, std::uint32_t flags);
  NftRule& verdict(int code, const char* chain);

  std::uint32_t family_;
  std::unique_ptr<nftnl_rule, NftRuleDeleter> rule_;
};

}  // namespace synward::io
