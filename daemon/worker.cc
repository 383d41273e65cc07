// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/worker.h"

#include <fmt/core.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "daemon/io/clock.h"
#include "daemon/scheduling.h"
#include "daemon/service/log.h"

namespace synward {
namespace {

constexpr std::size_t outbox_bytes = 4 << 20;
constexpr std::size_t outbox_packets = 8192;
// So often at least the loop turns: progress for the watchdog, and directives taken.
constexpr std::chrono::milliseconds wait_max{500};
// Batches of flow packets between two batches of SYNs.
constexpr int flow_batches_max = 4;

wire::PacketView view(const io::QueuedPacket& packet) {
  const wire::ChecksumState checksum = packet.checksum_partial ? wire::ChecksumState::partial
                                       : packet.checksum_unverified
                                           ? wire::ChecksumState::unverified
                                           : wire::ChecksumState::verified;
  return {packet.bytes, packet.original_length, checksum, packet.gso};
}

}  // namespace

Worker::Worker(WorkerPlan plan, WorkerQueues queues, io::Injector injector,
               const engine::EngineSettings& settings, Counters& counters,
               const Directives& directives)
    : plan_(plan),
      queues_(std::move(queues)),
      injector_(std::move(injector)),
      counters_(counters),
      engine_(settings, counters, io::now()),
      outbox_(outbox_bytes, outbox_packets),
      directives_(directives),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Worker::~Worker() {
  if (thread_.joinable()) thread_.join();
  if (wake_fd_ >= 0) close(wake_fd_);
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void Worker::run() {
  pthread_setname_np(pthread_self(), fmt::format("worker-{}", plan_.index).c_str());
  set_scheduling();
  {
    const std::lock_guard lock(directives_.mutex);
    set_realtime(directives_.realtime);
  }
  Ready ready{.flow = true, .syn = true};
  while (!directives_.stop.load(std::memory_order_relaxed)) {
    const Instant now = io::now();
    take_directives(now);
    const Ready more = serve_ready(ready, now);
    tick(now);
    progress_.fetch_add(1, std::memory_order_relaxed);
    // A batch that was not full has emptied its queue: no call only to be told so. After a full one
    // both are looked at: whoever waits longest must not wait for the other's flood to end.
    ready = more.flow || more.syn ? Ready{.flow = true, .syn = true} : wait(now);
  }
  reset_connections();
  ended_.store(true, std::memory_order_release);
}

void Worker::set_scheduling() const {
  service::log_debug("worker {}: queues {} and {}, {} for large packets, {}", plan_.index,
                     queues_.syn.number(), queues_.flow.number(), queues_.large.number(),
                     plan_.cpu ? fmt::format("CPU {}", *plan_.cpu) : std::string("any CPU"));
  if (plan_.cpu) pin_thread(plan_.index, *plan_.cpu);
}

void Worker::set_realtime(std::optional<int> priority) {
  if (priority != realtime_ && schedule_thread(plan_.index, priority)) realtime_ = priority;
}

void Worker::take_directives(Instant now) {
  const std::uint32_t steps = directives_.clock_steps.load(std::memory_order_acquire);
  if (steps != clock_steps_seen_) {
    clock_steps_seen_ = steps;
    engine_.re_anchor(Duration(directives_.wall_offset.load(std::memory_order_relaxed)), now);
  }
  if (directives_.reloads.load(std::memory_order_acquire) != reloads_taken_) take_reload(now);
  directives_.interfaces.take(interfaces_);
  if (directives_.offers.take(offers_)) engine_.set_offers(std::move(offers_.value), now);
  if (directives_.network.take(network_)) take_network();
}

// Without the memory, the next turn tries again.
void Worker::take_network() {
  try {
    engine_.set_network(network_.value);
  } catch (const std::bad_alloc&) {
    network_.change = 0;
  }
}

// Applied after the lock: the workers do not wait for each other.
void Worker::take_reload(Instant now) {
  std::unique_lock lock(directives_.mutex);
  const std::uint32_t reload = directives_.reloads.load(std::memory_order_relaxed);
  const std::optional<int> realtime = directives_.realtime;
  try {
    const std::vector<std::size_t> backend_counts = directives_.backend_counts;
    const engine::EngineSettings settings = directives_.settings[plan_.index];
    lock.unlock();
    {
      const std::lock_guard growth(directives_.counters_growth);
      counters_.grow(backend_counts);
    }
    engine_.apply(settings, now);
    refuses_reload_.store(false, std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {
    refuses_reload_.store(true, std::memory_order_relaxed);
  }
  set_realtime(realtime);
  reloads_taken_.store(reload, std::memory_order_release);
}

Worker::Ready Worker::serve_ready(Ready ready, Instant now) {
  Ready more{};
  for (int batch = 0; ready.flow && batch < flow_batches_max; ++batch) {
    more.flow = serve(queues_.flow, now) == io::NfQueue::batch_size;
    if (!more.flow) break;
  }
  if (ready.syn) more.syn = serve(queues_.syn, now) == io::NfQueue::batch_size;
  return more;
}

// One batch: decided packet by packet, performed in the same order.
std::size_t Worker::serve(io::NfQueue& queue, Instant now) {
  const std::span<io::QueuedPacket> batch = queue.receive();
  for (const io::QueuedPacket& packet : batch) {
    const bool fits = packet.original_length <= packet.bytes.size();
    fits || !packet.gso ? serve(queue, packet, now) : serve_in_segments(queue, packet, now);
  }
  if (!batch.empty()) send_decided(queue);
  count_lost_verdicts();
  return batch.size();
}

void Worker::serve(io::NfQueue& queue, const io::QueuedPacket& packet, Instant now) {
  perform(queue, packet,
          engine_.on_packet(now, view(packet), side_of(packet.in_interface), outbox_));
  if (outbox_.nearly_full()) send_decided(queue);
}

// The kernel cuts the packet while it executes the verdict, so all of its segments are there then,
// and nobody else's. Served at once they keep their place in their connection.
void Worker::serve_in_segments(io::NfQueue& queue, const io::QueuedPacket& packet, Instant now) {
  queue.hand_over(packet.id, queues_.large);
  send_decided(queue);
  for (;;) {
    const std::span<io::QueuedPacket> segments = queues_.large.receive();
    if (segments.empty()) return;
    for (const io::QueuedPacket& segment : segments) serve(queues_.large, segment, now);
    send_decided(queues_.large);
  }
}

// Counted when they have left, however long this thread had to wait for a CPU before.
void Worker::send_decided(io::NfQueue& queue) {
  queue.flush();
  replies_in_place_.add(std::exchange(replies_under_way_, 0));
  forwarded_.add(std::exchange(forwards_under_way_, 0));
  send_collected();
}

// Their packets are gone, and nobody else will tell.
void Worker::count_lost_verdicts() {
  const std::uint64_t lost =
      queues_.syn.send_errors() + queues_.flow.send_errors() + queues_.large.send_errors();
  if (lost == verdicts_lost_) return;
  engine_.count_send_failures(lost - verdicts_lost_);
  verdicts_lost_ = lost;
}

void Worker::perform(io::NfQueue& queue, const io::QueuedPacket& packet,
                     const engine::Decision& decision) {
  // The bits outside the mask are the operator's: policy routing goes on working.
  const std::uint32_t mark = (packet.mark & ~plan_.mark_mask) | plan_.mark;
  switch (decision.verdict) {
    case engine::Verdict::drop:
    case engine::Verdict::consume:
      queue.drop(packet.id);
      return;
    case engine::Verdict::pass:
      queue.accept(packet.id);
      return;
    case engine::Verdict::forward:
      queue.accept(packet.id, mark, decision.packet);
      ++forwards_under_way_;
      return;
    case engine::Verdict::reply:
      if (directives_.reply_in_place.load(std::memory_order_relaxed)) {
        queue.accept(packet.id, mark, decision.packet);
        ++replies_under_way_;
      } else {
        injector_.add(decision.packet);
        queue.drop(packet.id);
      }
      return;
  }
}

void Worker::send_collected() {
  for (const auto packet : outbox_.packets()) injector_.add(packet);
  if (const std::uint64_t refused = injector_.flush(); refused > 0) {
    static service::RateLimitedLog log(service::LogLevel::warning, 5, std::chrono::seconds(10));
    log.log("the kernel refused {} packets of synward's own: {}{}", refused,
            std::strerror(injector_.last_error()),
            injector_.last_error() == EPERM
                ? "; a firewall's OUTPUT chain drops them: let packets with synward's mark pass "
                  "there too (README, Beside a firewall)"
                : "");
    engine_.count_send_failures(refused);
  }
  outbox_.clear();
}

void Worker::tick(Instant now) {
  for (;;) {
    engine_.on_tick(now, outbox_);
    const bool more = outbox_.nearly_full();
    if (!outbox_.packets().empty()) send_collected();
    if (!more) return;
  }
}

Worker::Ready Worker::wait(Instant now) {
  Duration timeout = wait_max;
  if (const auto deadline = engine_.next_deadline(wait_max)) {
    timeout = std::clamp<Duration>(*deadline - now, Duration{0}, timeout);
  }
  std::array<pollfd, 3> sources{
      {{queues_.flow.fd(), POLLIN, 0}, {queues_.syn.fd(), POLLIN, 0}, {wake_fd_, POLLIN, 0}}};
  const timespec limit{timeout.count() / 1'000'000'000, timeout.count() % 1'000'000'000};
  if (ppoll(sources.data(), sources.size(), &limit, nullptr) <= 0) return {};
  if (sources[2].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof count);
  }
  return {.flow = sources[0].revents != 0, .syn = sources[1].revents != 0};
}

// Nobody is served any more, so the socket is waited for: what it has no room for would not be
// told to a client.
void Worker::reset_connections() {
  injector_.wait_for_room_until(io::now() + stop_patience - std::chrono::seconds(1));
  std::uint32_t place = 0;
  bool left = true;
  while (left) {
    left = engine_.reset_some(place, outbox_);
    send_collected();
  }
}

engine::Ingress Worker::side_of(unsigned interface) const {
  if (interface == 0) return {.from_this_host = true};
  return {std::ranges::find(interfaces_.value.client, interface) != interfaces_.value.client.end(),
          std::ranges::find(interfaces_.value.server, interface) != interfaces_.value.server.end()};
}

}  // namespace synward
