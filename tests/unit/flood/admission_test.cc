// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flood/admission.h"

#include <gtest/gtest.h>

#include "tests/unit/flow/support.h"

namespace synward::flood {
namespace {

using namespace std::chrono_literals;
using flow::boot;
using flow::ConnectionKey;
using flow::HalfOpenEntry;
using flow::spread_key;

// A backlog of 100: pressure from 80 on, calm again at 50.
struct AdmissionTest : testing::Test {
  flow::HalfOpenQueue queue{100, flow::test_hash_key, boot};
  Admission admission{
      {.high_entries = 80, .low_entries = 50, .retransmits_per_second = 10, .keep_at_least = 1s},
      boot};

  // As the engine does; nullptr if answered statelessly.
  HalfOpenEntry* arrive(const ConnectionKey& key, Instant now) {
    const auto decision = admission.decide(queue, key.client, now);
    if (decision.displace != nullptr) queue.erase(*decision.displace);
    return decision.remember ? queue.insert(key, now, 1s) : nullptr;
  }
  void fill(std::uint32_t until, Instant now) {
    while (queue.size() < until) ASSERT_NE(arrive(spread_key(queue.size()), now), nullptr);
  }
  void shrink(std::uint32_t until) {
    while (queue.size() > until) queue.erase(*queue.oldest());
  }
};

TEST_F(AdmissionTest, pressure_begins_at_the_high_watermark_and_ends_at_the_low_one) {
  fill(79, boot);
  EXPECT_FALSE(admission.pressured(queue));
  fill(80, boot);
  EXPECT_TRUE(admission.pressured(queue));
  shrink(51);
  EXPECT_TRUE(admission.pressured(queue));
  shrink(50);
  EXPECT_FALSE(admission.pressured(queue));
  fill(79, boot);
  EXPECT_FALSE(admission.pressured(queue));
}

TEST_F(AdmissionTest, pressure_outlives_a_change_of_settings) {
  fill(80, boot);
  EXPECT_TRUE(admission.pressured(queue));
  shrink(60);
  admission.set_settings(
      {.high_entries = 90, .low_entries = 55, .retransmits_per_second = 10, .keep_at_least = 1s},
      boot);
  EXPECT_TRUE(admission.pressured(queue));
  shrink(55);
  EXPECT_FALSE(admission.pressured(queue));
}

class APrefix : public AdmissionTest, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(APrefix, holds_at_most_a_tenth_in_calm_and_under_pressure) {
  fill(GetParam(), boot);
  for (std::uint16_t port = 1; port <= 20; ++port) {
    const wire::Address neighbour = flow::ipv4_client(0xff0000U + port);
    const bool remembered =
        arrive({.client = neighbour, .client_port = port, .listen = 0}, boot) != nullptr;
    EXPECT_EQ(remembered, port <= 10) << port;
  }
  EXPECT_NE(arrive(spread_key(200), boot), nullptr) << "others are not concerned";
}
INSTANTIATE_TEST_SUITE_P(WithSoManyOthers, APrefix, testing::Values(0U, 80U));

TEST_F(AdmissionTest, from_the_high_watermark_on_the_oldest_gives_way_after_its_first_wait) {
  fill(80, boot);
  const auto decision = admission.decide(queue, spread_key(200).client, boot + 1s);
  EXPECT_TRUE(decision.remember);
  EXPECT_EQ(decision.displace, queue.find(spread_key(0)));
  EXPECT_EQ(queue.size(), 80U) << "deciding changes nothing";
  EXPECT_NE(arrive(spread_key(200), boot + 1s), nullptr);
  EXPECT_EQ(queue.size(), 80U);
  EXPECT_EQ(queue.find(spread_key(0)), nullptr);
}

TEST_F(AdmissionTest, an_entry_is_kept_for_its_first_wait_and_the_room_above_is_used) {
  fill(80, boot);
  for (std::uint32_t i = 80; i < 100; ++i) EXPECT_NE(arrive(spread_key(i), boot + 999ms), nullptr);
  EXPECT_EQ(queue.size(), 100U);
  EXPECT_EQ(arrive(spread_key(100), boot + 999ms), nullptr) << "full of young entries";
  EXPECT_NE(queue.find(spread_key(0)), nullptr);
  EXPECT_NE(arrive(spread_key(100), boot + 1s), nullptr);
  EXPECT_EQ(queue.find(spread_key(0)), nullptr);
}

TEST_F(AdmissionTest, between_the_watermarks_nobody_gives_way) {
  fill(80, boot);
  ASSERT_TRUE(admission.pressured(queue));
  shrink(60);
  ASSERT_TRUE(admission.pressured(queue));
  EXPECT_EQ(admission.decide(queue, spread_key(200).client, boot + 10s).displace, nullptr);
  EXPECT_NE(arrive(spread_key(200), boot + 10s), nullptr);
}

TEST_F(AdmissionTest, a_full_queue_without_watermark_acts_as_under_pressure) {
  admission = Admission(
      {.high_entries = 1000, .low_entries = 500, .retransmits_per_second = 0, .keep_at_least = 1s},
      boot);
  fill(100, boot);
  EXPECT_EQ(arrive(spread_key(200), boot), nullptr);
  EXPECT_NE(arrive(spread_key(200), boot + 1s), nullptr);
  EXPECT_EQ(queue.size(), 100U);
}

TEST_F(AdmissionTest, a_queue_of_capacity_zero_answers_statelessly) {
  flow::HalfOpenQueue none(0, flow::test_hash_key, boot);
  Admission policy({.high_entries = 0, .low_entries = 0, .retransmits_per_second = 10}, boot);
  const auto decision = policy.decide(none, spread_key(0).client, boot);
  EXPECT_FALSE(decision.remember);
  EXPECT_EQ(decision.displace, nullptr);
}

// A genuine client that answers within a second finds its entry, at 2000 spoofed SYN/s too.
TEST_F(AdmissionTest, a_slow_flood_never_takes_an_entry_before_its_first_wait) {
  Instant now = boot;
  std::uint32_t stateless = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i, now += 500us) {
    const auto decision = admission.decide(queue, spread_key(i).client, now);
    if (decision.displace != nullptr) {
      ASSERT_GE(flow::age(*decision.displace, now), 1s);
      queue.erase(*decision.displace);
    }
    stateless += decision.remember ? 0 : 1;
    if (decision.remember) {
      ASSERT_NE(queue.insert(spread_key(i), now, 1s), nullptr);
    }
  }
  EXPECT_EQ(queue.size(), 100U);
  EXPECT_NEAR(20'000 - stateless, 100 * 10, 20) << "a hundred new ones per second are remembered";
}

TEST_F(AdmissionTest, in_calm_every_retransmission_is_sent) {
  HalfOpenEntry* const entry = arrive(spread_key(0), boot);
  for (entry->retransmits = 0; entry->retransmits < 30; ++entry->retransmits)
    EXPECT_TRUE(admission.may_retransmit(queue, *entry, boot));
}

TEST_F(AdmissionTest, under_pressure_an_entry_gets_one_retransmission) {
  fill(80, boot);
  HalfOpenEntry& entry = *queue.oldest();
  EXPECT_TRUE(admission.may_retransmit(queue, entry, boot));
  entry.retransmits = 1;
  EXPECT_FALSE(admission.may_retransmit(queue, entry, boot + 10s));
}

TEST_F(AdmissionTest, under_pressure_retransmissions_share_a_budget) {
  fill(80, boot);
  unsigned sent = 0;
  for (Instant now = boot; now < boot + 10s; now += 5ms)
    sent += admission.may_retransmit(queue, *queue.oldest(), now) ? 1 : 0;
  EXPECT_EQ(sent, 100U) << "10 per second";
}

}  // namespace
}  // namespace synward::flood
