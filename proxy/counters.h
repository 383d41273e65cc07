// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a worker counts. Each worker owns one Counters and is its only writer; the metrics thread
// reads all of them at scrape time and sums. So an increment is a plain add (a relaxed load and
// store, no locked instruction), and a scrape never makes a worker wait. One figure is shared: the
// peak of a sum cannot be had from the workers' own peaks.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "proxy/shared/reasons.h"
#include "proxy/tcp/state.h"

namespace synward {

using Reason = ::synward_reason;
// The label of the reason, as in dropped_packets_total{reason="..."}.
const char* reason_name(Reason reason);
const char* reason_text(Reason reason);

// Monotonic, single writer, any number of readers.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Goes up and down; single writer, any number of readers.
class Gauge {
 public:
  void add(std::int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// How many there are over all workers, and the most there ever were. Any thread; a locked
// instruction per call.
class Occupancy {
 public:
  void enter() {
    const std::int64_t now = now_.fetch_add(1, std::memory_order_relaxed) + 1;
    std::int64_t peak = peak_.load(std::memory_order_relaxed);
    while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
  }
  void leave() { now_.fetch_sub(1, std::memory_order_relaxed); }
  std::int64_t peak() const { return peak_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> now_{0};
  std::atomic<std::int64_t> peak_{0};
};
// [service]; not a vector: they never move.
using Occupancies = std::deque<Occupancy>;

// Seconds in fixed buckets: upper bounds in microseconds, the last bucket is +Inf.
class Histogram {
 public:
  static constexpr std::array<std::uint64_t, 13> upper_bounds_us{
      100,    250,     500,       1'000,     2'500,     5'000,     10'000,
      50'000, 200'000, 1'000'000, 3'000'000, 7'000'000, 15'000'000};
  void observe_us(std::uint64_t microseconds) {
    std::size_t bucket = 0;
    while (bucket < upper_bounds_us.size() && microseconds > upper_bounds_us[bucket]) ++bucket;
    buckets_[bucket].add();
    sum_us_.add(microseconds);
  }
  // Not cumulative; size upper_bounds_us.size() + 1.
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].value(); }
  std::uint64_t sum_us() const { return sum_us_.value(); }

 private:
  std::array<Counter, upper_bounds_us.size() + 1> buckets_;
  Counter sum_us_;
};

enum class Side : std::uint8_t { client, backend };
enum class Direction : std::uint8_t { to_backend, to_client };
enum class RedeemSource : std::uint8_t { queue, cookie };
enum class RejectReason : std::uint8_t { mac, replayed };
enum class CloseReason : std::uint8_t {
  fin,
  reset,
  idle,
  backend_refused,
  backend_timeout,
  shutdown,
  displaced  // by a client of another network or service, as theirs had more than its share
};
enum class BackendFailure : std::uint8_t { refused, timeout, unreachable };

enum class LeftOut : std::uint8_t { fast_open, multipath, authentication };

inline constexpr std::size_t close_reason_count = 7;
// Why a connection gave way to others, as the table was filling.
enum class GaveWay : std::uint8_t { silence, share };
inline constexpr std::size_t backend_failure_count = 3;

// Per backend of a service. A transparent service has one per listen address.
struct BackendCounters {
  Counter syns_sent;  // first SYNs and retransmissions
  Counter syn_retransmits;
  std::array<Counter, backend_failure_count> failures;  // by BackendFailure
};

struct ServiceCounters {
  explicit ServiceCounters(Occupancy& half_open_of_all) : half_open(half_open_of_all) {}

  // Half-open queue. The limit is this worker's share of the service's backlog; pressured: 1 while
  // the rules of pressure hold (H3).
  Occupancy& half_open;
  Gauge half_open_connections, half_open_limit, half_open_pressured;
  Counter half_open_untracked, half_open_expired, half_open_reset, half_open_displaced;

  // SYNs whose challenge left an option out on purpose (O4): [LeftOut].
  std::array<Counter, 3> options_left_out;
  Counter syns_received, client_syn_retransmits, synacks_sent, synack_retransmits;
  std::array<Counter, 2> cookies_redeemed;  // by RedeemSource
  std::array<Counter, 2> cookies_rejected;  // by RejectReason
  Counter spent_cookies_forgotten;          // too many to remember until they expire

  // Endpoints by their own TCP state: [Side][State].
  std::array<std::array<Gauge, tcp::state_count>, 2> connections;
  Counter connections_spliced;
  std::array<Counter, close_reason_count> connections_closed;  // by CloseReason
  std::array<Counter, 2> connections_gave_way;                 // by GaveWay

  // Spliced segments: [Direction].
  std::array<Counter, 2> segment_retransmits, segments_translated, bytes_translated;

  std::array<Counter, synward_reason_count> dropped;  // by Reason
  Histogram handshake, backend_connect;

  Gauge early_data_bytes;
  Counter early_data_dropped;

  std::deque<BackendCounters> backends;  // not a vector: counters never move
};

// services[i] belongs to the i-th service that was ever configured; none() to packets whose service
// cannot be known (they could not be parsed).
struct Counters {
  // The workers of one daemon share their occupancies.
  explicit Counters(const std::vector<std::size_t>& backends_per_service,
                    std::shared_ptr<Occupancies> shared = std::make_shared<Occupancies>());
  // Adds what is missing. Nobody else may read, or grow what is shared, meanwhile.
  void grow(const std::vector<std::size_t>& backends_per_service);

  std::deque<ServiceCounters> services;  // not a vector: counters never move
  ServiceCounters& none() { return none_; }
  const ServiceCounters& none() const { return none_; }
  const std::shared_ptr<Occupancies>& shared() const { return shared_; }

 private:
  std::shared_ptr<Occupancies> shared_;
  Occupancy of_none_;
  ServiceCounters none_{of_none_};
};

}  // namespace synward
