// SPDX-License-Identifier: GPL-2.0-or-later
//
// Two honest endpoints on a network that loses, delays, reorders and duplicates, and the tracker
// in their middle: whatever they send, it must never drop it, and it must see the end.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "proxy/tcp/connection.h"
#include "proxy/wire/segment.h"
#include "tests/unit/tcp/dialogue.h"

namespace synward::tcp {
namespace {

using Random = std::mt19937;

// Go-back-N with a fluctuating receive buffer; FIN after `total` bytes.
struct Peer {
  SeqNumber first, una, nxt, right, rcv_nxt;
  std::uint32_t total;
  std::uint32_t window = test_window;

  SeqNumber fin() const { return first + total; }
  bool done() const { return una == fin() + 1; }

  Seen next(Random& random) {
    if (random() % 8 == 0) nxt = una;  // its retransmission timer fired
    window = static_cast<std::uint32_t>(random() % (test_window + 1));
    Seen seen{.seq = nxt, .ack = rcv_nxt, .flags = wire::flag_ack, .window = window};
    const auto allowed = std::min(fin() - nxt, right - nxt);
    if (allowed > 0) {
      seen.payload_length = std::min<std::uint32_t>(
          static_cast<std::uint32_t>(allowed), 1 + static_cast<std::uint32_t>(random()) % 9000);
    } else if (random() % 4 == 0) {
      seen.seq = seen.seq - 1;  // a keep-alive, or a zero-window probe
      return seen;
    }
    nxt += seen.payload_length;
    if (nxt == fin()) {
      seen.flags |= wire::flag_fin;
      nxt += 1;
    }
    return seen;
  }

  void receive(const Seen& seen) {
    una = std::max(una, seen.ack);
    nxt = std::max(nxt, una);
    right = std::max(right, seen.ack + seen.window);
    const SeqNumber end = seen.seq + seen.payload_length;
    if (seen.seq > rcv_nxt || end < rcv_nxt) return;
    rcv_nxt = end + ((seen.flags & wire::flag_fin) != 0 ? 1 : 0);
  }
};

struct UnderWay {
  Seen seen;
  Side from;
  int hops;  // 2: before the tracker, 1: behind it
};

struct World {
  Random random;
  Connection connection{test_endpoint(client_first), test_endpoint(backend_first)};
  Peer client{client_first,  client_first, client_first, client_first + test_window,
              backend_first, 400'000};
  Peer backend{backend_first, backend_first, backend_first, backend_first + test_window,
               client_first,  300'000};
  std::vector<UnderWay> network;

  void send(Side from) {
    network.push_back({(from == Side::client ? client : backend).next(random), from, 2});
  }

  // One segment, any of those under way, moves one hop, or is lost, or doubled.
  void move_one() {
    if (network.empty()) return;
    const std::size_t which = std::min<std::size_t>(random() % 8, network.size() - 1);
    UnderWay moved = network[which];
    if (random() % 20 != 0) network.erase(network.begin() + static_cast<std::ptrdiff_t>(which));
    if (random() % 20 == 0) return;
    if (moved.hops == 2) {
      ASSERT_NE(observe(connection, moved.from, moved.seen), Outcome::out_of_window);
      moved.hops = 1;
      network.push_back(moved);
    } else {
      (moved.from == Side::client ? backend : client).receive(moved.seen);
    }
  }
};

class HonestPeers : public ::testing::TestWithParam<unsigned> {};

TEST_P(HonestPeers, AreNeverDroppedAndFinishTogetherWithTheTracker) {
  World world{.random = Random(GetParam()), .network = {}};
  for (int step = 0; step < 200'000; ++step) {
    if (world.network.size() < 30)
      world.send(world.random() % 2 == 0 ? Side::client : Side::backend);
    world.move_one();
    if (::testing::Test::HasFatalFailure()) return;
    if (world.client.done() && world.backend.done()) break;
  }
  EXPECT_TRUE(world.client.done() && world.backend.done());
  EXPECT_TRUE(finished(world.connection));
}

INSTANTIATE_TEST_SUITE_P(Seeds, HonestPeers, ::testing::Range(1U, 41U));

}  // namespace
}  // namespace synward::tcp
