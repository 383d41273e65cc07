// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/nft_rule.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netfilter/xt_socket.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

namespace synward::io {
namespace {

std::uint32_t kernel_register(NftRegister number) {
  return NFT_REG32_00 + number;
}

nftnl_expr* allocate(const char* name) {
  nftnl_expr* const expression = nftnl_expr_alloc(name);
  if (expression == nullptr) throw std::bad_alloc();
  return expression;
}

}  // namespace

void NftRuleDeleter::operator()(nftnl_rule* rule) const {
  nftnl_rule_free(rule);
}

NftRule::NftRule(std::uint32_t family, const char* table, const std::string& chain)
    : family_(family), rule_(nftnl_rule_alloc()) {
  if (!rule_) throw std::bad_alloc();
  nftnl_rule_set_u32(rule_.get(), NFTNL_RULE_FAMILY, family);
  nftnl_rule_set_str(rule_.get(), NFTNL_RULE_TABLE, table);
  nftnl_rule_set_str(rule_.get(), NFTNL_RULE_CHAIN, chain.c_str());
}

NftRule& NftRule::add(nftnl_expr* expression) {
  nftnl_rule_add_expr(rule_.get(), expression);
  return *this;
}

NftRule& NftRule::meta(std::uint32_t key, NftRegister to) {
  nftnl_expr* const meta = allocate("meta");
  nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
  nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, kernel_register(to));
  return add(meta);
}

NftRule& NftRule::payload(std::uint32_t base, NftField field, NftRegister to) {
  nftnl_expr* const payload = allocate("payload");
  nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, kernel_register(to));
  nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
  nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, field.offset);
  nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, field.length);
  return add(payload);
}

NftRule& NftRule::network_field(NftField field, NftRegister to) {
  return payload(NFT_PAYLOAD_NETWORK_HEADER, field, to);
}

NftRule& NftRule::transport_field(NftField field, NftRegister to) {
  return payload(NFT_PAYLOAD_TRANSPORT_HEADER, field, to);
}

NftRule& NftRule::equals(std::span<const std::uint8_t> bytes) {
  return compare(NFT_CMP_EQ, bytes);
}

NftRule& NftRule::differs(std::span<const std::uint8_t> bytes) {
  return compare(NFT_CMP_NEQ, bytes);
}

NftRule& NftRule::compare(std::uint32_t operation, std::span<const std::uint8_t> bytes) {
  nftnl_expr* const expression = allocate("cmp");
  nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, kernel_register(0));
  nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, operation);
  nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, bytes.data(),
                 static_cast<std::uint32_t>(bytes.size()));
  return add(expression);
}

NftRule& NftRule::masked(std::span<const std::uint8_t> mask) {
  constexpr std::array<std::uint8_t, 16> zeros{};
  const auto length = static_cast<std::uint32_t>(mask.size());
  nftnl_expr* const bitwise = allocate("bitwise");
  nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, kernel_register(0));
  nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, kernel_register(0));
  nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, length);
  nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, mask.data(), length);
  nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, zeros.data(), length);
  return add(bitwise);
}

NftRule& NftRule::lookup(const char* set, std::uint32_t flags) {
  nftnl_expr* const lookup = allocate("lookup");
  nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, kernel_register(0));
  nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set);
  nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, flags);
  return add(lookup);
}

NftRule& NftRule::in_set(const char* set) {
  return lookup(set, 0);
}

NftRule& NftRule::not_in_set(const char* set) {
  return lookup(set, NFT_LOOKUP_F_INV);
}

NftRule& NftRule::hash(const NftHash& hash) {
  nftnl_expr* const jenkins = allocate("hash");
  nftnl_expr_set_u32(jenkins, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
  nftnl_expr_set_u32(jenkins, NFTNL_EXPR_HASH_SREG, kernel_register(hash.source));
  nftnl_expr_set_u32(jenkins, NFTNL_EXPR_HASH_DREG, kernel_register(hash.destination));
  nftnl_expr_set_u32(jenkins, NFTNL_EXPR_HASH_LEN, hash.length);
  nftnl_expr_set_u32(jenkins, NFTNL_EXPR_HASH_MODULUS, hash.modulus);
  nftnl_expr_set_u32(jenkins, NFTNL_EXPR_HASH_SEED, hash.seed);
  return add(jenkins);
}

NftRule& NftRule::verdict_map(NftMapId map, NftRegister key) {
  nftnl_expr* const lookup = allocate("lookup");
  nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, kernel_register(key));
  nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
  nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, anonymous_map_name);
  nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, map.number);
  return add(lookup);
}

NftRule& NftRule::count(const char* counter) {
  nftnl_expr* const reference = allocate("objref");
  nftnl_expr_set_u32(reference, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
  nftnl_expr_set_str(reference, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
  return add(reference);
}

NftRule& NftRule::notrack() {
  return add(allocate("notrack"));
}

NftRule& NftRule::tproxy(std::uint16_t port) {
  const std::uint16_t network_order = htons(port);
  nftnl_expr* const value = allocate("immediate");
  nftnl_expr_set_u32(value, NFTNL_EXPR_IMM_DREG, kernel_register(0));
  nftnl_expr_set(value, NFTNL_EXPR_IMM_DATA, &network_order, sizeof network_order);
  add(value);
  nftnl_expr* const tproxy = allocate("tproxy");
  nftnl_expr_set_u32(tproxy, NFTNL_EXPR_TPROXY_FAMILY, family_);
  nftnl_expr_set_u32(tproxy, NFTNL_EXPR_TPROXY_REG_PORT, kernel_register(0));
  return add(tproxy);
}

NftRule& NftRule::xt_socket_match() {
  // As long as the kernel aligns it to.
  constexpr std::size_t aligned = 8;
  static_assert(sizeof(xt_socket_mtinfo1) <= aligned);
  void* const owned = std::calloc(1, aligned);  // as in queue_xt_target
  if (owned == nullptr) throw std::bad_alloc();
  nftnl_expr* const match = allocate("match");
  nftnl_expr_set_str(match, NFTNL_EXPR_MT_NAME, "socket");
  nftnl_expr_set_u32(match, NFTNL_EXPR_MT_REV, 1);
  nftnl_expr_set(match, NFTNL_EXPR_MT_INFO, owned, aligned);
  return add(match);  // NOLINT(clang-analyzer-unix.Malloc): the expression owns it now
}

NftRule& NftRule::verdict(int code, const char* chain) {
  nftnl_expr* const immediate = allocate("immediate");
  nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
  nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(code));
  if (chain != nullptr) nftnl_expr_set_str(immediate, NFTNL_EXPR_IMM_CHAIN, chain);
  return add(immediate);
}

NftRule& NftRule::accept() {
  return verdict(NF_ACCEPT, nullptr);
}
NftRule& NftRule::drop() {
  return verdict(NF_DROP, nullptr);
}
NftRule& NftRule::jump(const std::string& chain) {
  return verdict(NFT_JUMP, chain.c_str());
}
NftRule& NftRule::go_to(const std::string& chain) {
  return verdict(NFT_GOTO, chain.c_str());
}

NftRule& NftRule::queue(std::uint16_t number) {
  nftnl_expr* const queue = allocate("queue");
  nftnl_expr_set_u16(queue, NFTNL_EXPR_QUEUE_NUM, number);
  nftnl_expr_set_u16(queue, NFTNL_EXPR_QUEUE_TOTAL, 1);
  nftnl_expr_set_u16(queue, NFTNL_EXPR_QUEUE_FLAGS, NFT_QUEUE_FLAG_BYPASS);
  return add(queue);
}

NftRule& NftRule::queue_xt_target(std::uint16_t number) {
  const xt_NFQ_info_v3 info{.queuenum = number, .queues_total = 1, .flags = NFQ_FLAG_BYPASS};
  // libnftnl takes the memory over and frees it with free().
  void* const owned = std::malloc(sizeof info);
  if (owned == nullptr) throw std::bad_alloc();
  std::memcpy(owned, &info, sizeof info);
  nftnl_expr* const target = allocate("target");
  nftnl_expr_set_str(target, NFTNL_EXPR_TG_NAME, "NFQUEUE");
  nftnl_expr_set_u32(target, NFTNL_EXPR_TG_REV, 3);
  nftnl_expr_set(target, NFTNL_EXPR_TG_INFO, owned, sizeof info);
  return add(target);  // NOLINT(clang-analyzer-unix.Malloc): the expression owns it now
}

}  // namespace synward::io
