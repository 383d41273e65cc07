// SPDX-License-Identifier: GPL-2.0-or-later
//
// Twelve clients and their servers do what comes into their minds, with tables of eight places:
// whatever happens, no gauge goes below zero, and in the end nothing is left.
#include <algorithm>
#include <random>

#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

class RandomTraffic : public ::testing::TestWithParam<std::uint32_t>, public Harness {
 protected:
  struct Peer {
    std::uint32_t cookie = 0, client_next = 1001, backend_isn = 777000, backend_next = 777001;
    Endpoint backend;
  };

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

  void set_up() {
    const Endpoint listed = endpoint("198.51.100.77:8080");
    if (!one_in(2)) {
      settings.services = {
          {.listens = {service}, .backends = {listed, endpoint("198.51.100.78:8080")}}};
      backend = listed;
    }
    settings.connections = settings.backlog = 8;
    settings.early_data_total = 16 * 2048;
    settings.early_data_per_connection = 4096;
    settings.idle = settings.half_closed_idle = seconds(70);
    settings.reset_unknown_segments = one_in(3);
    if (one_in(4)) {
      settings.adopt_until = now + seconds(600);
      settings.adopt_from_servers = true;
    }
    handshake::ServiceOffer offer{.mss = 1460};
    offer.timestamps = one_in(3);
    settings.offers = {handshake::OfferHistory(offer)};
    settings.learned = std::make_shared<backend::LearnedBoard>(std::vector<std::size_t>{2});
    for (Peer& peer : peers_) peer.backend = backend;
  }

  void send_something(Peer& peer) {
    switch (below(9)) {
      case 0: {
        SegmentToSend first = syn(one_in(3) ? random_() : peer.client_next + below(4) * 1000);
        if (one_in(2)) first.options.timestamps = wire::Timestamps{below(10'000) + 1, 0};
        from_client(first);
        return;
      }
      case 1:
        from_client(from_client_segment(peer.client_next, peer.cookie + 1));
        return;
      case 2:
      case 3: {
        const std::uint32_t received = peer.backend_next - peer.backend_isn - 1;
        SegmentToSend data =
            from_client_segment(peer.client_next + below(3) * 500, peer.cookie + 1 + received);
        send_data(data, peer.client_next, {true, false});
        return;
      }
      case 4:
      case 5: {
        SegmentToSend answer = syn_ack(peer.backend_isn, peer.client_next - (one_in(4) ? 1 : 0));
        if (one_in(2)) answer.options.timestamps = wire::Timestamps{77, 0};
        from_backend(answer);
        return;
      }
      case 6: {
        SegmentToSend data = from_backend_segment(peer.backend_next, peer.client_next);
        send_data(data, peer.backend_next, {false, true});
        return;
      }
      case 7: {
        SegmentToSend reset = from_client_segment(peer.client_next - below(200), peer.cookie + 1);
        reset.flags = wire::flag_rst | (one_in(2) ? wire::flag_ack : 0);
        if (one_in(3)) from_client(reset);
        return;
      }
      default: {
        SegmentToSend reset =
            from_backend_segment(peer.backend_next - below(200), peer.client_next);
        reset.flags = wire::flag_rst | (one_in(2) ? wire::flag_ack : 0);
        if (one_in(3)) from_backend(reset);
      }
    }
  }

  void send_data(SegmentToSend& segment, std::uint32_t& next, Ingress side) {
    segment.payload = std::span(bytes_).first(below(3000));
    if (one_in(4)) segment.flags |= wire::flag_fin;
    if (arrive(segment, side) != Verdict::forward) return;
    next = segment.seq.value() + static_cast<std::uint32_t>(segment.payload.size()) +
           ((segment.flags & wire::flag_fin) != 0 ? 1 : 0);
  }

  // What the endpoints learn from what the engine sent them.
  void listen(Peer& peer) {
    for (const Left& each : left) {
      const Segment& segment = each.segment;
      if (!segment.has(wire::flag_syn)) continue;
      if (segment.destination == client) {
        peer.cookie = segment.seq.value();
        peer.client_next = segment.ack.value();
      } else {
        peer.backend = segment.destination;
        peer.client_next = segment.seq.value() + 1;
        peer.backend_isn = random_();
        peer.backend_next = peer.backend_isn + 1;
      }
    }
  }

  void reload() {
    settings.idle = seconds(30 + below(60));
    settings.early_data_total = (4 + below(20)) * 2048;
    engine().apply(settings, now);
  }

  std::int64_t lowest_gauge() {
    std::int64_t lowest =
        std::min(counters().half_open_connections.value(), counters().early_data_bytes.value());
    for (const auto& side : counters().connections)
      for (const Gauge& gauge : side) lowest = std::min(lowest, gauge.value());
    return lowest;
  }
  std::int64_t sum_of_gauges() {
    std::int64_t sum =
        counters().half_open_connections.value() + counters().early_data_bytes.value();
    for (const auto& side : counters().connections)
      for (const Gauge& gauge : side) sum += gauge.value();
    return sum;
  }

  std::mt19937 random_{GetParam()};
  std::array<Peer, 12> peers_;
  const std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(3000, 'z');
};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomTraffic, ::testing::Range(1U, 25U));

TEST_P(RandomTraffic, LeavesNothingBehind) {
  set_up();
  for (int step = 0; step < 10'000; ++step) {
    const std::uint32_t which = below(static_cast<std::uint32_t>(peers_.size()));
    Peer& peer = peers_[which];
    client.port = static_cast<std::uint16_t>(40'000 + which);
    backend = peer.backend;
    if (one_in(10)) {
      pass(one_in(3) ? Duration(seconds(below(12))) : milliseconds(below(900)));
    } else if (one_in(400)) {
      reload();
    } else {
      send_something(peer);
      listen(peer);
    }
    ASSERT_GE(lowest_gauge(), 0) << "step " << step;
  }
  pass(seconds(400));
  EXPECT_GT(counters().connections_spliced.value(), 5U);
  EXPECT_EQ(sum_of_gauges(), 0);
  EXPECT_FALSE(engine().next_deadline(seconds(100)).has_value());
}

}  // namespace
}  // namespace synward::engine
