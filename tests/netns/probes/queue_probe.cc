// SPDX-License-Identifier: GPL-2.0-or-later
//
// Drives daemon/io without the rest of synward, for tests/netns/probes/test_io.py. Arguments are
// KEY=VALUE; commands are read from stdin, one a line; answers and packets are lines of JSON.
//
//   queue_probe serve client=IF server=IF listen=EP backend=EP workers=N mode=MODE
//     MODE: pass | drop | reply (a SYN-ACK over the SYN) | rewrite ('a' becomes 'A' in the data)
//     commands: status | replace LISTEN | remove | quit
//   queue_probe bind queue=N            holds a queue until stdin ends
//   queue_probe inject FILE             sends the packets of FILE (a line of hex each)
//   queue_probe flood src=ADDR dst=EP count=N [patience=SECONDS]
//     SYNs with changing source ports, as fast as it goes; patience waits for room in the socket
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "daemon/io/clock.h"
#include "daemon/io/inject.h"
#include "daemon/io/nfqueue.h"
#include "daemon/io/queue_statistics.h"
#include "daemon/io/ruleset.h"
#include "tests/netns/probes/probe_packet.h"

namespace {

using namespace synward;

constexpr std::uint32_t mark = 0x53590000;

struct Arguments {
  std::multimap<std::string, std::string> values;
  std::string get(const std::string& key, const std::string& otherwise) const {
    const auto found = values.find(key);
    return found == values.end() ? otherwise : found->second;
  }
  std::vector<std::string> all(const std::string& key) const {
    std::vector<std::string> result;
    const auto [begin, end] = values.equal_range(key);
    for (auto entry = begin; entry != end; ++entry) result.push_back(entry->second);
    return result;
  }
};

[[noreturn]] void fail(const std::string& sentence) {
  fmt::print("{{\"error\": \"{}\"}}\n", sentence);
  std::fflush(stdout);
  std::exit(1);
}

std::vector<wire::Endpoint> endpoints(const std::vector<std::string>& texts) {
  std::vector<wire::Endpoint> result;
  for (const auto& text : texts) {
    const auto endpoint = wire::parse_endpoint(text);
    if (!endpoint) fail("not an endpoint: " + text);
    result.push_back(*endpoint);
  }
  return result;
}

io::RulesetPlan make_plan(const Arguments& arguments) {
  io::RulesetPlan plan;
  plan.client_interfaces = arguments.all("client");
  plan.server_interfaces = arguments.all("server");
  plan.listens = endpoints(arguments.all("listen"));
  plan.backends = endpoints(arguments.all("backend"));
  plan.workers = static_cast<std::uint16_t>(std::stoi(arguments.get("workers", "2")));
  plan.queue_start = static_cast<std::uint16_t>(std::stoi(arguments.get("start", "24100")));
  for (const auto& own : arguments.all("own"))
    plan.own_addresses.push_back(wire::parse_address(own).value());
  plan.steering_seed = 0x12345678;
  return plan;
}

class Server {
 public:
  explicit Server(const Arguments& arguments);
  int run();

 private:
  void drain(io::NfQueue& queue);
  void answer(io::NfQueue& queue, const io::QueuedPacket& packet);
  bool command(const std::string& line);
  void status();

  io::RulesetPlan plan_;
  std::string mode_;
  bool quiet_;
  std::vector<io::NfQueue> queues_;
  std::optional<io::Ruleset> ruleset_;
  std::vector<std::uint64_t> seen_;
};

Server::Server(const Arguments& arguments)
    : plan_(make_plan(arguments)),
      mode_(arguments.get("mode", "pass")),
      quiet_(arguments.get("quiet", "0") == "1") {
  for (std::uint16_t i = 0; i < 2 * plan_.workers; ++i) {
    auto queue = io::NfQueue::open({.number = static_cast<std::uint16_t>(plan_.queue_start + i)});
    if (!queue) fail(queue.error());
    queues_.push_back(std::move(*queue));
  }
  seen_.resize(queues_.size());
  const bool no_tproxy = arguments.get("reassembly", "tproxy") == "xt_socket";
  auto ruleset = io::Ruleset::install(
      plan_, {.reassembly = no_tproxy ? io::Reassembly::xt_socket : io::Reassembly::tproxy});
  if (!ruleset) fail(ruleset.error());
  ruleset_.emplace(std::move(*ruleset));
}

void Server::answer(io::NfQueue& queue, const io::QueuedPacket& packet) {
  if (mode_ == "drop") return queue.drop(packet.id);
  if (mode_ == "reply") {
    if (!probe::turn_into_syn_ack(packet.bytes)) return queue.drop(packet.id);
    return queue.accept(packet.id, mark, packet.bytes);
  }
  if (mode_ == "rewrite") {
    probe::rewrite(packet.bytes, packet.gso);
    return queue.accept(packet.id, mark, packet.bytes);
  }
  queue.accept(packet.id);
}

void Server::drain(io::NfQueue& queue) {
  const auto packets = queue.receive();
  for (const io::QueuedPacket& packet : packets) {
    if (!quiet_) {
      fmt::print(
          "{{\"queue\": {}, {}, \"length\": {}, \"copied\": {}, \"gso\": {}, \"partial\": {}, "
          "\"interface\": {}, \"mark\": {}}}\n",
          queue.number() - plan_.queue_start, probe::describe(packet.bytes), packet.original_length,
          packet.bytes.size(), int{packet.gso}, int{packet.checksum_partial}, packet.in_interface,
          packet.mark);
    }
    answer(queue, packet);
  }
  queue.flush();
  seen_[queue.number() - plan_.queue_start] += packets.size();
  if (!quiet_ && !packets.empty()) std::fflush(stdout);
}

void Server::status() {
  std::uint64_t errors = 0, refused = 0;
  for (const auto& queue : queues_) {
    errors += queue.send_errors();
    refused += queue.refused_verdicts();
  }
  std::string seen;
  for (const auto count : seen_) seen += (seen.empty() ? "" : ", ") + std::to_string(count);
  std::uint64_t dropped = 0, waiting = 0;
  const auto statistics = io::read_queue_statistics();
  if (!statistics) fail(statistics.error());
  for (const auto& queue : *statistics) {
    dropped += queue.dropped_full + queue.dropped_socket;
    waiting += queue.waiting;
  }
  const auto synacks = ruleset_->way_of_challenges();
  fmt::print(
      "{{\"status\": 1, \"native\": {}, \"synacks\": {}, \"present\": {}, \"errors\": {}, "
      "\"refused\": {}, \"dropped\": {}, \"waiting\": {}, \"seen\": [{}]}}\n",
      int{ruleset_->parts().native_queue}, synacks ? synacks->undropped : 999999,
      int{ruleset_->present()}, errors, refused, dropped, waiting, seen);
}

bool Server::command(const std::string& line) {
  std::string sentence;
  if (line == "quit" || line.empty()) return false;
  if (line == "remove") {
    if (auto done = ruleset_->remove(); !done) sentence = done.error();
  } else if (line.starts_with("replace ")) {
    plan_.listens = endpoints({line.substr(8)});
    if (auto done = ruleset_->replace(plan_); !done) sentence = done.error();
  }
  if (!sentence.empty()) fmt::print("{{\"error\": \"{}\"}}\n", sentence);
  status();
  std::fflush(stdout);
  return true;
}

int Server::run() {
  std::string replaced;
  for (const auto& table : ruleset_->replaced_tables()) replaced += table;
  fmt::print("{{\"ready\": {}, \"replaced\": \"{}\"}}\n", getpid(), replaced);
  std::fflush(stdout);
  std::vector<pollfd> waits;
  for (const auto& queue : queues_)
    waits.push_back({.fd = queue.fd(), .events = POLLIN, .revents = 0});
  waits.push_back({.fd = 0, .events = POLLIN, .revents = 0});
  for (;;) {
    poll(waits.data(), waits.size(), -1);
    for (std::size_t i = 0; i < queues_.size(); ++i)
      if (waits[i].revents != 0) drain(queues_[i]);
    if (waits.back().revents == 0) continue;
    std::string line;
    if (!std::getline(std::cin, line) || !command(line)) return 0;
  }
}

int hold_queue(const Arguments& arguments) {
  auto queue = io::NfQueue::open(
      {.number = static_cast<std::uint16_t>(std::stoi(arguments.get("queue", "24100")))});
  if (!queue) fail(queue.error());
  fmt::print("{{\"ready\": {}}}\n", getpid());
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

io::Injector open_injector(std::uint32_t packet_mark) {
  auto injector = io::Injector::open(packet_mark);
  if (!injector) fail(injector.error());
  return std::move(*injector);
}

int inject(const std::string& file) {
  auto injector = open_injector(mark);
  std::ifstream lines(file);
  std::vector<std::vector<std::uint8_t>> packets;
  for (std::string line; std::getline(lines, line);) {
    auto& packet = packets.emplace_back();
    for (std::size_t i = 0; i + 1 < line.size(); i += 2)
      packet.push_back(static_cast<std::uint8_t>(std::stoi(line.substr(i, 2), nullptr, 16)));
  }
  for (const auto& packet : packets) injector.add(packet);
  const auto refused = injector.flush();
  fmt::print("{{\"refused\": {}, \"errno\": {}}}\n", refused, injector.last_error());
  return 0;
}

int flood(const Arguments& arguments) {
  auto injector = open_injector(0);
  const auto source = wire::parse_address(arguments.get("src", "")).value();
  const auto target = wire::parse_endpoint(arguments.get("dst", "")).value();
  const std::uint64_t count = std::stoull(arguments.get("count", "1000000"));
  injector.wait_for_room_until(io::now() +
                               std::chrono::seconds(std::stoi(arguments.get("patience", "0"))));
  std::vector<std::vector<std::uint8_t>> ring(128);
  std::uint64_t refused = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t sent = 0; sent < count;) {
    for (auto& packet : ring) {
      packet = probe::make_syn(source, target, static_cast<std::uint16_t>(sent++ * 7919));
      injector.add(packet);
    }
    refused += injector.flush();
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  fmt::print("{{\"per_second\": {:.0f}, \"refused\": {}}}\n",
             static_cast<double>(count) / time.count(), refused);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return 64;
  Arguments arguments;
  for (const auto& word : words)
    if (const auto equals = word.find('='); equals != std::string::npos)
      arguments.values.emplace(word.substr(0, equals), word.substr(equals + 1));
  if (words[0] == "serve") return Server(arguments).run();
  if (words[0] == "bind") return hold_queue(arguments);
  if (words[0] == "inject" && words.size() == 2) return inject(words[1]);
  if (words[0] == "flood") return flood(arguments);
  return 64;
}
