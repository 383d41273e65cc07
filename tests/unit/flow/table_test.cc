// SPDX-License-Identifier: GPL-2.0-or-later
#include "proxy/flow/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <vector>

#include "tests/unit/flow/support.h"

namespace synward::flow {
namespace {

struct FlowTableTest : testing::Test {
  FlowTable table{8, test_hash_key, boot};
};

TEST_F(FlowTableTest, a_new_flow_is_a_default_one_even_where_another_was_before) {
  Flow* const first = table.insert(spread_key(1));
  first->early_fin = true;
  first->client_isn = wire::SeqNumber(7);
  table.linger(*first);
  table.arm(*first, boot, boot + 1s);
  table.erase(*first);
  const Flow* const second = table.insert(spread_key(2));
  ASSERT_EQ(second, first) << "the freed place is preferred";
  EXPECT_EQ(second->key, spread_key(2));
  EXPECT_FALSE(second->early_fin);
  EXPECT_EQ(second->client_isn, wire::SeqNumber());
  EXPECT_FALSE(second->lingering);
  EXPECT_EQ(table.oldest_lingering(), nullptr);
  EXPECT_EQ(table.next_deadline(), std::nullopt);
}

wire::Endpoint backend(std::uint32_t number) {
  return {ipv4_client(0xfff000 + number), 80};
}

BackendTuple before(const Flow& flow, const wire::Endpoint& backend) {
  return {.client = {flow.key.client, flow.key.client_port}, .backend = backend};
}

TEST_F(FlowTableTest, a_flow_is_found_by_the_backend_that_it_has_now) {
  Flow* const flow = table.insert(spread_key(1));
  EXPECT_EQ(table.find_before_backend(before(*flow, backend(1))), nullptr);
  table.set_backend(*flow, backend(1));
  EXPECT_EQ(flow->backend_endpoint, backend(1));
  EXPECT_EQ(table.find_before_backend(before(*flow, backend(1))), flow);
  table.set_backend(*flow, backend(2));
  EXPECT_EQ(table.find_before_backend(before(*flow, backend(1))), nullptr);
  EXPECT_EQ(table.find_before_backend(before(*flow, backend(2))), flow);
  const BackendTuple tuple = before(*flow, backend(2));
  table.erase(*flow);
  EXPECT_EQ(table.find_before_backend(tuple), nullptr);
}

// One client port through several listens to one backend: only the last can be open there.
TEST_F(FlowTableTest, of_flows_with_the_same_backend_the_last_to_get_it_is_found) {
  ConnectionKey key = spread_key(1);
  Flow* const first = table.insert(key);
  table.set_backend(*first, backend(1));
  key.listen = 1;
  Flow* const second = table.insert(key);
  table.set_backend(*second, backend(1));
  EXPECT_EQ(table.find_before_backend(before(*first, backend(1))), second);
  table.erase(*second);
  EXPECT_EQ(table.find_before_backend(before(*first, backend(1))), first);
}

TEST_F(FlowTableTest, erasing_leaves_the_others_of_a_full_table_to_be_found) {
  std::vector<Flow*> flows;
  for (std::uint32_t i = 0; i < 8; ++i) {
    flows.push_back(table.insert(spread_key(i)));
    table.set_backend(*flows.back(), backend(i % 2));
  }
  for (const std::uint32_t gone : {5U, 0U, 7U}) table.erase(*flows[gone]);
  for (const std::uint32_t i : {1U, 2U, 3U, 4U, 6U}) {
    EXPECT_EQ(table.find_before_backend(before(*flows[i], backend(i % 2))), flows[i]) << i;
  }
}

TEST_F(FlowTableTest, a_full_table_takes_no_flow_until_one_is_erased) {
  for (std::uint32_t i = 0; i < 8; ++i) ASSERT_NE(table.insert(spread_key(i)), nullptr);
  EXPECT_EQ(table.insert(spread_key(8)), nullptr);
  EXPECT_EQ(table.find(spread_key(8)), nullptr);
  table.erase(*table.find(spread_key(3)));
  EXPECT_NE(table.insert(spread_key(8)), nullptr);
  EXPECT_EQ(table.size(), table.capacity());
}

// T4
TEST_F(FlowTableTest, the_oldest_lingering_is_the_first_that_ended) {
  for (std::uint32_t i = 0; i < 5; ++i) table.insert(spread_key(i));
  for (const std::uint32_t ended : {3U, 0U, 4U, 1U}) table.linger(*table.find(spread_key(ended)));
  table.linger(*table.find(spread_key(3)));  // no effect: it keeps its place
  for (const std::uint32_t expected : {3U, 0U, 4U, 1U}) {
    ASSERT_EQ(table.oldest_lingering(), table.find(spread_key(expected)));
    table.erase(*table.oldest_lingering());
  }
  EXPECT_EQ(table.oldest_lingering(), nullptr);
  EXPECT_EQ(table.open_count(), 1U);
}

TEST_F(FlowTableTest, open_flows_are_in_the_order_of_their_last_touch) {
  for (std::uint32_t i = 0; i < 5; ++i) table.insert(spread_key(i));
  table.touch(*table.find(spread_key(0)));
  table.touch(*table.find(spread_key(4)));  // the last: no effect
  table.linger(*table.find(spread_key(2)));
  for (const std::uint32_t expected : {1U, 3U, 0U, 4U}) {
    ASSERT_EQ(table.first_open(), table.find(spread_key(expected)));
    table.erase(*table.first_open());
  }
  EXPECT_EQ(table.first_open(), nullptr);
  EXPECT_EQ(table.open_count(), 0U);
}

TEST_F(FlowTableTest, an_idle_timeout_of_two_hours_is_popped_once_and_when_due) {
  Flow* const flow = table.insert(spread_key(0));
  table.arm(*flow, boot, boot + 2h);
  Instant now = boot;
  unsigned wakes = 0;
  while (table.pop_expired(now) == nullptr) {
    ASSERT_LT(now, boot + 3h);
    now = table.next_deadline().value_or(Instant::max());
    ++wakes;
  }
  EXPECT_GE(now, boot + 2h);
  EXPECT_LE(now, boot + 2h + 10ms);
  EXPECT_LE(wakes, 60U) << "once per turn of the wheel";
  EXPECT_EQ(table.next_deadline(), std::nullopt);
}

TEST_F(FlowTableTest, a_deadline_in_the_horizon_is_not_popped_early) {
  Flow* const flow = table.insert(spread_key(0));
  table.arm(*flow, boot, boot + 20s);
  table.arm(*flow, boot, boot + 50s);
  EXPECT_EQ(table.pop_expired(boot + 49'999ms), nullptr);
  EXPECT_EQ(table.pop_expired(boot + 50'009ms), flow);
}

TEST_F(FlowTableTest, a_walk_finds_every_flow_and_lets_it_be_erased) {
  for (std::uint32_t i = 0; i < 6; ++i) table.insert(spread_key(i));
  table.erase(*table.find(spread_key(2)));
  unsigned visited = 0;
  std::uint32_t place = 0;
  while (Flow* const flow = table.next(place)) {
    ++visited;
    table.erase(*flow);
  }
  EXPECT_EQ(visited, 5U);
  EXPECT_EQ(place, 6U) << "each place once";
  EXPECT_EQ(table.size(), 0U);
  place = 0;
  EXPECT_EQ(table.next(place), nullptr) << "nothing is left";
}

// Few keys in a small table, so that buckets chain and places are reused.
class FlowTableModel : public testing::TestWithParam<unsigned> {
 protected:
  void insert(std::uint32_t number) {
    if (model.contains(number)) return;
    Flow* const flow = table.insert(spread_key(number));
    ASSERT_EQ(flow == nullptr, model.size() == table.capacity());
    if (flow == nullptr) return;
    flow->client_tsval = number;
    model[number] = flow;
  }
  void erase(std::uint32_t number) {
    if (!model.contains(number)) return;
    table.erase(*model[number]);
    model.erase(number);
    std::erase(lingering, number);
  }
  void linger(std::uint32_t number) {
    if (!model.contains(number)) return;
    table.linger(*model[number]);
    if (std::ranges::find(lingering, number) == lingering.end()) lingering.push_back(number);
  }
  void check(std::uint32_t number) {
    Flow* const flow = table.find(spread_key(number));
    ASSERT_EQ(flow, model.contains(number) ? model[number] : nullptr);
    if (flow != nullptr) {
      EXPECT_EQ(flow->client_tsval, number);
    }
    EXPECT_EQ(table.size(), model.size());
    Flow* const oldest = lingering.empty() ? nullptr : model[lingering.front()];
    EXPECT_EQ(table.oldest_lingering(), oldest);
  }

  std::mt19937 random{GetParam()};
  FlowTable table{37, test_hash_key, boot};
  std::map<std::uint32_t, Flow*> model;
  std::deque<std::uint32_t> lingering;
};

TEST_P(FlowTableModel, agrees_with_a_map) {
  for (int step = 0; step < 50'000 && !HasFailure(); ++step) {
    const auto number = static_cast<std::uint32_t>(random() % 60);
    switch (random() % 4) {
      case 0:
        erase(number);
        break;
      case 1:
        linger(number);
        break;
      default:
        insert(number);
    }
    check(static_cast<std::uint32_t>(random() % 60));
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, FlowTableModel, testing::Range(1U, 5U));

}  // namespace
}  // namespace synward::flow
