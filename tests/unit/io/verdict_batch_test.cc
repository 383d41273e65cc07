// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/verdict_batch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <cstring>
#include <memory>
#include <numeric>

namespace synward::io {
namespace {

std::vector<std::uint8_t> joined(VerdictBatch& batch) {
  std::vector<std::uint8_t> bytes;
  for (const iovec& piece : batch.pieces()) {
    const auto* begin = static_cast<const std::uint8_t*>(piece.iov_base);
    bytes.insert(bytes.end(), begin, begin + piece.iov_len);
  }
  return bytes;
}

std::uint32_t word(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::vector<std::uint8_t> counting(std::size_t length) {
  std::vector<std::uint8_t> bytes(length);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
  return bytes;
}

// The array of a batch is large for a stack with sanitizers.
std::unique_ptr<VerdictBatch> make_batch() {
  return std::make_unique<VerdictBatch>(24100);
}

TEST(VerdictBatch, drop_is_one_message_of_32_bytes) {
  const auto batch = make_batch();
  batch->add({.id = 7});
  const auto bytes = joined(*batch);
  ASSERT_EQ(bytes.size(), 32U);
  EXPECT_EQ(word(bytes, 0), 32U);
  EXPECT_EQ(bytes[18] << 8 | bytes[19], 24100);
  EXPECT_EQ(ntohl(word(bytes, 24)), static_cast<std::uint32_t>(NF_DROP));
  EXPECT_EQ(ntohl(word(bytes, 28)), 7U);
}

TEST(VerdictBatch, hands_over_to_another_queue) {
  const auto batch = make_batch();
  batch->add({.id = 7, .to_queue = 65535});
  const auto bytes = joined(*batch);
  ASSERT_EQ(bytes.size(), 32U);
  EXPECT_EQ(bytes[18] << 8 | bytes[19], 24100);
  EXPECT_EQ(ntohl(word(bytes, 24)), 65535U << 16 | NF_QUEUE);
  EXPECT_EQ(ntohl(word(bytes, 28)), 7U);
}

TEST(VerdictBatch, short_payloads_share_one_piece) {
  const auto batch = make_batch();
  const auto payload = counting(61);
  batch->add({.id = 1, .accept = true, .mark = 0x53590000, .payload = payload});
  batch->add({.id = 2});
  EXPECT_EQ(batch->pieces().size(), 1U);
  const auto bytes = joined(*batch);
  ASSERT_EQ(bytes.size(), 40U + 4 + 64 + 32);
  EXPECT_EQ(word(bytes, 0), 108U);
  EXPECT_EQ(ntohl(word(bytes, 36)), 0x53590000U);
  EXPECT_EQ(word(bytes, 40), 65U | NFQA_PAYLOAD << 16);
  EXPECT_TRUE(std::equal(payload.begin(), payload.end(), bytes.begin() + 44));
  EXPECT_EQ(word(bytes, 108), 32U);
  EXPECT_EQ(batch->bytes(), bytes.size());
}

TEST(VerdictBatch, long_payloads_are_referenced_and_padded) {
  for (const std::size_t length : {257U, 258U, 259U, 260U, 65531U}) {
    const auto batch = make_batch();
    const auto payload = counting(length);
    batch->add({.id = 1, .accept = true, .payload = payload});
    batch->add({.id = 2});
    const auto pieces = batch->pieces();
    ASSERT_EQ(pieces.size(), 3U);
    EXPECT_EQ(pieces[1].iov_base, payload.data());
    const auto bytes = joined(*batch);
    const std::size_t padded = NLA_ALIGN(length);
    ASSERT_EQ(bytes.size(), 36 + padded + 32);
    EXPECT_EQ(word(bytes, 0), 36 + padded);
    EXPECT_EQ(word(bytes, 32), (length + 4) | NFQA_PAYLOAD << 16);
    EXPECT_EQ(ntohl(word(bytes, 36 + padded + 28)), 2U);
  }
}

TEST(VerdictBatch, is_full_by_number) {
  const auto batch = make_batch();
  const auto payload = counting(VerdictBatch::copied_payload);
  for (std::uint32_t id = 0; id < VerdictBatch::max_verdicts; ++id) {
    ASSERT_FALSE(batch->full());
    batch->add({.id = id, .accept = true, .mark = 1, .payload = payload});
  }
  EXPECT_TRUE(batch->full());
  EXPECT_EQ(joined(*batch).size(), batch->bytes());
  batch->clear();
  EXPECT_TRUE(batch->empty());
  EXPECT_TRUE(batch->pieces().empty());
}

TEST(VerdictBatch, is_full_by_bytes_and_by_pieces) {
  const auto batch = make_batch();
  const auto large = counting(65531);
  batch->add({.id = 1, .accept = true, .mark = 1, .payload = large});
  EXPECT_FALSE(batch->full());
  batch->add({.id = 2, .accept = true, .mark = 1, .payload = large});
  EXPECT_TRUE(batch->full());
  batch->clear();
  const auto referenced = counting(VerdictBatch::copied_payload + 1);
  while (!batch->full()) batch->add({.id = 1, .accept = true, .mark = 1, .payload = referenced});
  EXPECT_LE(batch->pieces().size(), 1024U);  // UIO_MAXIOV
}

}  // namespace
}  // namespace synward::io
