// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/verdict_batch.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <cassert>
#include <cstring>

namespace synward::io {
namespace {

// The fixed part of a NFQNL_MSG_VERDICT message.
struct VerdictMessage {
  nlmsghdr header;
  nfgenmsg family;
  nlattr attribute;
  nfqnl_msg_verdict_hdr verdict;
};
static_assert(sizeof(VerdictMessage) == 32);

struct MarkAttribute {
  nlattr attribute;
  std::uint32_t mark;
};
static_assert(sizeof(MarkAttribute) == 8);

std::uint32_t kernel_verdict(const Verdict& verdict) {
  if (verdict.to_queue) return NF_QUEUE_NR(std::uint32_t{*verdict.to_queue});
  return verdict.accept ? NF_ACCEPT : NF_DROP;
}

}  // namespace

VerdictBatch::VerdictBatch(std::uint16_t queue) : queue_(queue) {
  ids_.reserve(max_verdicts);
}

void VerdictBatch::add(const Verdict& verdict) {
  assert(!full() && verdict.payload.size() <= max_payload);
  const std::size_t payload = verdict.payload.size();
  const std::size_t padded = NLA_ALIGN(payload);
  const std::size_t length = sizeof(VerdictMessage) + (verdict.mark ? sizeof(MarkAttribute) : 0) +
                             (payload == 0 ? 0 : NLA_HDRLEN + padded);
  // Without NLM_F_ACK: the kernel answers only what it refuses.
  const VerdictMessage message{
      .header = {.nlmsg_len = static_cast<std::uint32_t>(length),
                 .nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_VERDICT,
                 .nlmsg_flags = NLM_F_REQUEST,
                 .nlmsg_seq = 0,
                 .nlmsg_pid = 0},
      .family = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(queue_)},
      .attribute = {.nla_len = NLA_HDRLEN + sizeof(nfqnl_msg_verdict_hdr),
                    .nla_type = NFQA_VERDICT_HDR},
      .verdict = {.verdict = htonl(kernel_verdict(verdict)), .id = htonl(verdict.id)}};
  append(&message, sizeof message);
  if (verdict.mark) {
    const MarkAttribute mark{.attribute = {.nla_len = sizeof(MarkAttribute), .nla_type = NFQA_MARK},
                             .mark = htonl(*verdict.mark)};
    append(&mark, sizeof mark);
  }
  if (payload != 0) {
    const nlattr header{.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + payload),
                        .nla_type = NFQA_PAYLOAD};
    append(&header, sizeof header);
    if (payload <= copied_payload)
      append(verdict.payload.data(), payload);
    else
      reference(verdict.payload);
    append_zeros(padded - payload);
  }
  bytes_ += length;
  ids_.push_back(verdict.id);
}

void VerdictBatch::clear() {
  arena_used_ = 0;
  piece_count_ = 0;
  arena_open_ = false;
  bytes_ = 0;
  ids_.clear();
}

void VerdictBatch::append(const void* data, std::size_t length) {
  std::uint8_t* const to = arena_.data() + arena_used_;
  std::memcpy(to, data, length);
  if (!arena_open_) pieces_[piece_count_++] = {.iov_base = to, .iov_len = 0};
  arena_open_ = true;
  pieces_[piece_count_ - 1].iov_len += length;
  arena_used_ += length;
}

void VerdictBatch::append_zeros(std::size_t length) {
  constexpr std::array<std::uint8_t, NLA_ALIGNTO> zeros{};
  if (length != 0) append(zeros.data(), length);
}

void VerdictBatch::reference(std::span<const std::uint8_t> payload) {
  // sendmsg only reads; iovec has no const.
  pieces_[piece_count_++] = {.iov_base = const_cast<std::uint8_t*>(payload.data()),
                             .iov_len = payload.size()};
  arena_open_ = false;
}

}  // namespace synward::io
