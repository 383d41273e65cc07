// SPDX-License-Identifier: GPL-2.0-or-later
//
// One engine between a client and a backend that are this test. Time is a number.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "proxy/engine/engine.h"

namespace synward::engine {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::Endpoint;
using wire::Segment;
using wire::SegmentToSend;
using wire::SeqNumber;

// A segment that left the engine, with the bytes that its views point into.
struct Left {
  std::vector<std::uint8_t> bytes;
  Segment segment;
};

inline SegmentToSend between(const Endpoint& source, const Endpoint& destination,
                             std::uint32_t seq) {
  SegmentToSend segment;
  segment.source = source;
  segment.destination = destination;
  segment.seq = SeqNumber(seq);
  return segment;
}

inline Endpoint endpoint(const char* text) {
  return wire::parse_endpoint(text).value();
}

class Harness {
 public:
  Endpoint client = endpoint("203.0.113.5:40000");
  Endpoint service = endpoint("198.51.100.10:80");
  Endpoint backend = service;
  EngineSettings settings;
  Instant now{std::chrono::hours(1)};

  Harness() {
    settings.services = {{.listens = {service}, .backends = {}}};
    settings.offers = {handshake::OfferHistory(handshake::ServiceOffer{.mss = 1460})};
    settings.connections = 64;
    settings.backlog = 64;
    settings.early_data_total = 1 << 20;
    settings.master_key[0] = 42;
    settings.spent_cookies = std::make_shared<handshake::SpentCookies>(
        std::span(spent_.data(), spent_.size()), flow::HashKey{3, 4});
    settings.wall_offset = std::chrono::hours(490'000);
  }

  Engine& engine() {
    if (!engine_) {
      std::vector<std::size_t> backends;
      backends.reserve(settings.services.size());
      for (const auto& plan : settings.services) {
        backends.push_back(plan.transparent() ? plan.listens.size() : plan.backends.size());
      }
      counters_ = std::make_unique<Counters>(backends);
      engine_ = std::make_unique<Engine>(settings, *counters_, now);
    }
    return *engine_;
  }
  // The process dies, and another one takes its place.
  void restart() {
    engine_.reset();
    counters_.reset();
  }
  ServiceCounters& counters() {
    engine();
    return counters_->services.front();
  }
  Counters& all_counters() {
    engine();
    return *counters_;
  }

  // Hands a segment to the engine; what left because of it is in `left`, the verdict is returned.
  Verdict arrive(const SegmentToSend& what, Ingress side) {
    std::vector<std::uint8_t> bytes(wire::emitted_length_max(what));
    bytes.resize(wire::emit(bytes, what));
    return arrive_bytes(bytes, side);
  }
  Verdict arrive_bytes(std::vector<std::uint8_t>& bytes, Ingress side) {
    left.clear();
    passed_error.clear();
    const Decision decision = engine().on_packet(
        now, {bytes, bytes.size(), wire::ChecksumState::unverified, false}, side, outbox_);
    if (is_icmp(decision.packet)) {
      passed_error.assign(decision.packet.begin(), decision.packet.end());
    } else if (!decision.packet.empty()) {
      keep(decision.packet);
    }
    collect();
    return decision.verdict;
  }
  Verdict from_client(const SegmentToSend& what) { return arrive(what, {true, false}); }
  Verdict from_backend(const SegmentToSend& what) { return arrive(what, {false, true}); }

  // Lets time pass in steps of one wheel slot, as the worker's loop would.
  void pass(Duration time) {
    left.clear();
    const Instant until = now + time;
    while (now < until) {
      now = std::min(until, now + milliseconds(8));
      engine().on_tick(now, outbox_);
      collect();
    }
  }

  // --- what a client and a backend of this connection send ---
  SegmentToSend syn(std::uint32_t isn = 1000) const {
    SegmentToSend segment = between(client, service, isn);
    segment.flags = wire::flag_syn;
    segment.window = 64240;
    segment.options = {.mss = 1400, .window_scale = 9, .sack_permitted = true, .timestamps = {}};
    return segment;
  }
  SegmentToSend from_client_segment(std::uint32_t seq, std::uint32_t ack) const {
    SegmentToSend segment = between(client, service, seq);
    segment.ack = SeqNumber(ack);
    segment.flags = wire::flag_ack;
    segment.window = 500;
    return segment;
  }
  SegmentToSend from_backend_segment(std::uint32_t seq, std::uint32_t ack) const {
    SegmentToSend segment = between(backend, client, seq);
    segment.ack = SeqNumber(ack);
    segment.flags = wire::flag_ack;
    segment.window = 502;
    return segment;
  }
  SegmentToSend syn_ack(std::uint32_t isn, std::uint32_t ack) const {
    SegmentToSend segment = from_backend_segment(isn, ack);
    segment.flags = wire::flag_syn | wire::flag_ack;
    segment.window = 65160;
    segment.options = {.mss = 1460, .window_scale = 7, .sack_permitted = true, .timestamps = {}};
    return segment;
  }

  // SYN and challenge; returns the challenge's ISN.
  std::uint32_t challenge(std::uint32_t isn = 1000) {
    EXPECT_EQ(from_client(syn(isn)), Verdict::reply);
    return left.at(0).segment.seq.value();
  }
  // The whole way to a spliced connection: client ISN 1000, backend ISN 777000. Returns the
  // challenge's ISN.
  std::uint32_t connect() {
    const std::uint32_t cookie = challenge();
    EXPECT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
    EXPECT_EQ(left.size(), 1U);  // the SYN to the backend
    EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
    return cookie;
  }
  std::int64_t state(Side side, tcp::State which) {
    return counters()
        .connections[static_cast<std::size_t>(side)][static_cast<std::size_t>(which)]
        .value();
  }
  std::uint64_t dropped(Reason reason) {
    std::uint64_t sum = all_counters().none().dropped[reason].value();
    for (const ServiceCounters& each : all_counters().services) sum += each.dropped[reason].value();
    return sum;
  }

  std::vector<Left> left;
  std::vector<std::uint8_t> passed_error;  // the ICMP error that was forwarded last

 private:
  using Bucket = handshake::SpentCookies::Bucket;

  static bool is_icmp(std::span<const std::uint8_t> packet) {
    if (packet.empty()) return false;
    return packet[0] >> 4 == 4 ? packet[9] == wire::protocol_icmp
                               : packet[6] == wire::protocol_icmpv6;
  }
  void keep(std::span<const std::uint8_t> packet) {
    Left entry;
    entry.bytes.assign(packet.begin(), packet.end());
    // Moving the vector keeps its buffer, so the views stay good. Checksums are verified here.
    const auto parsed = wire::parse_segment(
        {entry.bytes, entry.bytes.size(), wire::ChecksumState::unverified, false});
    ASSERT_TRUE(parsed.has_value()) << reason_name(parsed.error());
    entry.segment = *parsed;
    left.push_back(std::move(entry));
  }
  void collect() {
    for (const auto packet : outbox_.packets()) keep(packet);
    outbox_.clear();
  }

  std::vector<Bucket> spent_ = std::vector<Bucket>(handshake::SpentCookies::buckets_for(4096));
  std::unique_ptr<Counters> counters_;
  std::unique_ptr<Engine> engine_;
  Outbox outbox_{1 << 20, 1024};
};

}  // namespace synward::engine
