// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/handshake/early_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "tests/support/must.h"

namespace synward::handshake {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::uint32_t block = EarlyData::block_size;

Bytes counting(std::size_t size, std::uint8_t first = 0) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

Bytes all_of(const EarlyData& pool, const flow::HeldData& held) {
  Bytes bytes(held.bytes + 10);
  bytes.resize(pool.copy(held, 0, bytes));
  return bytes;
}

struct EarlyDataTest : testing::Test {
  EarlyData pool{{.per_connection = 4 * block, .total = 10 * block}};
  flow::HeldData held, other;
};

TEST_F(EarlyDataTest, holds_a_stream_in_order_across_blocks) {
  const Bytes data = counting(3 * block);
  const std::span<const std::uint8_t> stream(data);
  EXPECT_TRUE(pool.append(held, stream.first(1)));
  EXPECT_TRUE(pool.append(held, stream.subspan(1, 2 * block)));
  EXPECT_TRUE(pool.append(held, stream.subspan(1 + 2 * block)));
  EXPECT_EQ(all_of(pool, held), data);
}

TEST_F(EarlyDataTest, copies_from_any_offset_as_much_as_there_is) {
  const Bytes data = counting(2 * block + 100);
  ASSERT_TRUE(pool.append(held, data));
  for (const std::uint32_t offset :
       {0U, 1U, block - 1, block, block + 1, 2 * block, 2 * block + 99}) {
    Bytes out(block + 7);
    const std::size_t copied = pool.copy(held, offset, out);
    ASSERT_EQ(copied, std::min(out.size(), data.size() - offset));
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(copied),
                           data.begin() + offset))
        << offset;
  }
  Bytes out(1);
  EXPECT_EQ(pool.copy(held, 2 * block + 100, out), 0U);
  EXPECT_EQ(pool.copy(other, 0, out), 0U);
}

// S4
TEST_F(EarlyDataTest, over_the_bound_of_a_connection_nothing_of_the_segment_is_kept) {
  ASSERT_TRUE(pool.append(held, counting(4 * block - 10)));
  EXPECT_FALSE(pool.append(held, counting(11, 99)));
  EXPECT_EQ(all_of(pool, held), counting(4 * block - 10));
  EXPECT_TRUE(pool.append(held, counting(10)));
  EXPECT_FALSE(pool.append(held, counting(1)));
  EXPECT_TRUE(pool.append(held, {})) << "no data is no excess";
}

TEST_F(EarlyDataTest, over_the_total_bound_nothing_is_kept_until_another_is_released) {
  flow::HeldData third;
  ASSERT_TRUE(pool.append(held, counting(4 * block)));
  ASSERT_TRUE(pool.append(other, counting(4 * block)));
  EXPECT_FALSE(pool.append(third, counting(2 * block + 1)));
  EXPECT_EQ(third.bytes, 0U);
  pool.release(held);
  EXPECT_TRUE(pool.append(third, counting(2 * block + 1)));
  EXPECT_EQ(all_of(pool, third), counting(2 * block + 1));
  EXPECT_EQ(all_of(pool, other), counting(4 * block));
}

TEST_F(EarlyDataTest, single_bytes_of_many_connections_are_bounded_by_the_memory_they_take) {
  std::vector<flow::HeldData> connections(11);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_TRUE(pool.append(connections[i], counting(1)));
  EXPECT_FALSE(pool.append(connections[10], counting(1)));
  EXPECT_TRUE(pool.append(connections[0], counting(100))) << "its block has room";
}

TEST_F(EarlyDataTest, release_empties_and_may_be_repeated) {
  ASSERT_TRUE(pool.append(held, counting(block + 1)));
  pool.release(held);
  pool.release(held);
  EXPECT_EQ(held.bytes, 0U);
  flow::HeldData third;  // together they take every block, so all were given back, once
  ASSERT_TRUE(pool.append(held, counting(4 * block)));
  ASSERT_TRUE(pool.append(other, counting(4 * block)));
  ASSERT_TRUE(pool.append(third, counting(2 * block)));
  EXPECT_EQ(all_of(pool, held), counting(4 * block));
  flow::HeldData fourth;
  EXPECT_FALSE(pool.append(fourth, counting(1)));
}

TEST_F(EarlyDataTest, a_total_of_zero_holds_nothing) {
  EarlyData none({.per_connection = block, .total = 0});
  EXPECT_FALSE(none.append(held, counting(1)));
  none.release(held);
}

// 5 GiB of one network's, which is less than its eighth of early_data.total: 64GiB.
TEST(EarlyDataShares, count_more_than_32_bits_of_bytes) {
  constexpr std::uint32_t each = 1 << 20;
  constexpr std::uint64_t connections = 5 * 1024;
  EarlyDataShares shares({1, 2});
  const auto client = test::must(wire::parse_address("2001:db8:1::5"));
  for (std::uint64_t i = 0; i < connections; ++i) shares.change(client, 0, each);
  EXPECT_EQ(shares.memory_of(client), connections * each);
  shares.change(client, each, each + 1);
  EXPECT_EQ(shares.memory_of(client), connections * each + block);
  shares.change(client, each + 1, 0);
  for (std::uint64_t i = 1; i < connections; ++i) shares.change(client, each, 0);
  EXPECT_EQ(shares.memory_of(client), 0U);
}

class EarlyDataModel : public testing::TestWithParam<unsigned> {};

TEST_P(EarlyDataModel, agrees_with_plain_vectors) {
  std::mt19937 random{GetParam()};
  EarlyData pool({.per_connection = 3 * block, .total = 20 * block});
  std::vector<flow::HeldData> held(16);
  std::vector<Bytes> model(16);
  const auto blocks_of_model = [&] {
    std::uint32_t blocks = 0;
    for (const Bytes& each : model) {
      blocks += EarlyData::blocks_of(static_cast<std::uint32_t>(each.size()));
    }
    return blocks;
  };
  for (int step = 0; step < 5'000; ++step) {
    const std::size_t i = random() % held.size();
    if (random() % 4 == 0) {
      pool.release(held[i]);
      model[i].clear();
    } else {
      const Bytes data = counting(random() % 3000, static_cast<std::uint8_t>(random()));
      if (pool.append(held[i], data)) {
        model[i].insert(model[i].end(), data.begin(), data.end());
      }
    }
    ASSERT_EQ(all_of(pool, held[i]), model[i]);
    ASSERT_LE(blocks_of_model(), 20U);
    ASSERT_LE(held[i].bytes, 3 * block);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, EarlyDataModel, testing::Range(1U, 4U));

}  // namespace
}  // namespace synward::handshake
