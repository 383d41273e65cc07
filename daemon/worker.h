// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "daemon/directive.h"
#include "daemon/io/inject.h"
#include "daemon/io/nfqueue.h"
#include "proxy/engine/engine.h"

namespace synward {

// An ordered stop takes no longer: half of the unit's TimeoutStopSec=.
inline constexpr std::chrono::seconds stop_patience{5};

// By ifindex: the rules know names, and an interface that was made anew has another number.
struct Interfaces {
  std::vector<unsigned> client, server;
  bool operator==(const Interfaces&) const = default;
};

// What the main thread tells all workers. Written by it alone, read by them.
struct Directives {
  std::atomic<bool> stop{false};
  // Replies go back in place; false: by raw socket (kernel.md, what in place needs).
  std::atomic<bool> reply_in_place{true};
  // C4: the wall clock's offset, in nanoseconds, and how often it was stepped.
  std::atomic<std::int64_t> wall_offset{0};
  std::atomic<std::uint32_t> clock_steps{0};
  // C10: what is offered, by listen; at most once in an epoch.
  Directive<std::vector<handshake::OfferHistory>> offers;
  Directive<Interfaces> interfaces;
  Directive<engine::HostNetwork> network;
  mutable std::mutex mutex;
  // Reloads: the settings of each worker, which its counters grow to first.
  std::vector<engine::EngineSettings> settings;
  std::vector<std::size_t> backend_counts;
  std::optional<int> realtime;  // SCHED_FIFO priority
  std::atomic<std::uint32_t> reloads{0};
  // Held while counters grow, and by those who read all of them.
  mutable std::mutex counters_growth;
};

struct WorkerPlan {
  unsigned index = 0;
  std::optional<int> cpu;  // to be pinned to
  // Set on every packet that synward lets on; bits outside the mask are left as they were.
  std::uint32_t mark = 0, mark_mask = 0;
};

struct WorkerQueues {
  io::NfQueue syn, flow;
  io::NfQueue large;  // read only after a packet was handed over to it
};

// One thread with its queues, its engine and its counters: shares nothing with the others but
// the directives. Flow packets first: a flood of SYNs must not delay connections.
class Worker {
 public:
  Worker(WorkerPlan plan, WorkerQueues queues, io::Injector injector,
         const engine::EngineSettings& settings, Counters& counters, const Directives& directives);
  ~Worker();  // joins; set directives.stop and wake() before

  void start();
  void wake() const;
  // After directives.stop; the queues stay open, so that the rules can go first. The destructor
  // waits for a thread that has not ended.
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  // Grows at least once a second while the thread runs its loop.
  std::uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }
  // Challenges written over their SYNs.
  std::uint64_t replies_in_place() const { return replies_in_place_.value(); }
  // Packets of joined connections that were let on.
  std::uint64_t forwarded() const { return forwarded_.value(); }
  // The last of directives.reloads that it works by.
  std::uint32_t reloads_taken() const { return reloads_taken_.load(std::memory_order_acquire); }
  // The last one it could not take, for want of memory: it works by the one before.
  bool refuses_reload() const { return refuses_reload_.load(std::memory_order_relaxed); }

 private:
  void run();
  void set_scheduling() const;
  void set_realtime(std::optional<int> priority);
  void take_directives(Instant now);
  void take_network();
  void take_reload(Instant now);
  struct Ready {
    bool flow = false, syn = false;
  };
  Ready serve_ready(Ready ready, Instant now);  // returns where more may wait
  std::size_t serve(io::NfQueue& queue, Instant now);
  void serve(io::NfQueue& queue, const io::QueuedPacket& packet, Instant now);
  void serve_in_segments(io::NfQueue& queue, const io::QueuedPacket& packet, Instant now);
  void perform(io::NfQueue& queue, const io::QueuedPacket& packet,
               const engine::Decision& decision);
  void send_decided(io::NfQueue& queue);
  void count_lost_verdicts();
  void send_collected();
  void tick(Instant now);
  Ready wait(Instant now);
  void reset_connections();
  engine::Ingress side_of(unsigned interface) const;  // 0: of this host's own

  const WorkerPlan plan_;
  WorkerQueues queues_;
  io::Injector injector_;
  Counters& counters_;
  engine::Engine engine_;
  engine::Outbox outbox_;
  const Directives& directives_;
  std::optional<int> realtime_;
  Directive<std::vector<handshake::OfferHistory>>::Copy offers_;
  Directive<Interfaces>::Copy interfaces_;
  Directive<engine::HostNetwork>::Copy network_;
  std::uint32_t clock_steps_seen_ = 0;
  int wake_fd_;
  std::uint64_t verdicts_lost_ = 0;
  std::uint64_t replies_under_way_ = 0, forwards_under_way_ = 0;
  Counter replies_in_place_, forwarded_;
  std::atomic<std::uint64_t> progress_{0};
  std::atomic<std::uint32_t> reloads_taken_{0};
  std::atomic<bool> refuses_reload_{false};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace synward
