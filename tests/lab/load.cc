// SPDX-License-Identifier: GPL-2.0-or-later
//
// HTTP clients for the lab: N connections at a concurrency or at a rate, or N held open at once;
// prints what became of them, and how long it took, as JSON. Bounded in number and time; connects
// to nothing but the lab's backends (guard.h).
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/lab/guard.h"
#include "tests/lab/load_connection.h"

namespace {

using namespace synward::lab;
using Json = nlohmann::ordered_json;

constexpr unsigned kFirstHost = 2;
constexpr unsigned kHosts = 19;              // 203.0.113.2 .. .20
constexpr std::uint16_t kFirstPort = 20000;  // of those that are reused
constexpr unsigned kMaxConnections = 2'000'000;
constexpr double kSlowMs = 200;

struct Plan {
  std::string interface = "c0";
  std::string target;
  std::string path = "/";
  std::string expect;  // file that holds the body
  unsigned connections = 1;
  unsigned concurrency = 100;
  unsigned ports = 0;  // 0: any of many hosts
  double rate = 0;     // connections per second; 0: as the concurrency allows
  double timeout = 30;
  bool hold = false;
  double hold_seconds = 0;
};

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

Json quantiles(std::vector<double> values) {
  if (values.empty()) return nullptr;
  std::ranges::sort(values);
  // Nearest rank: the smallest value that at least this share does not exceed.
  const auto at = [&](double share) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    return std::round(values[std::max<std::size_t>(rank, 1) - 1] * 1000) / 1000;
  };
  return {{"min", at(0)}, {"median", at(0.5)}, {"p90", at(0.9)}, {"p99", at(0.99)}, {"max", at(1)}};
}

class Load {
 public:
  Load(const Plan& plan, const Request& request)
      : plan_(plan), request_(request), epoll_(epoll_create1(EPOLL_CLOEXEC)), start_(Clock::now()) {
    for (unsigned i = 0; i < plan.ports; ++i) {
      free_ports_.push_back(static_cast<std::uint16_t>(kFirstPort + i));
    }
  }
  ~Load() { close(epoll_); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  Json run() {
    while (ended_ < plan_.connections) {
      open_due();
      if (plan_.hold && opened_ == plan_.connections && waiting_ >= open_.size()) release();
      wait();
      expire();
    }
    return report();
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  void open_due() {
    while (opened_ < plan_.connections && (plan_.hold || open_.size() < plan_.concurrency)) {
      if (plan_.rate > 0 && static_cast<double>(opened_) > elapsed() * plan_.rate) return;
      if (plan_.ports > 0 && free_ports_.empty()) return;
      if (!open_one()) return;
    }
  }

  // False if the client's kernel still has a connection on the port, whose last ACK is under way.
  bool open_one() {
    auto connection = std::make_unique<Connection>(request_, next_source());
    if (plan_.ports > 0 && connection->failure() == strerrorname_np(EADDRNOTAVAIL)) {
      free_ports_.push_back(connection->source().port);
      return false;
    }
    ++opened_;
    if (connection->state() == Connection::State::done) {
      record(*connection);
      return true;
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = connection->fd();
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd(), &event);
    open_.emplace(connection->fd(), std::move(connection));
    return true;
  }

  // The port that has been free for longest: a client's next connection waits for its last ACK.
  Source next_source() {
    if (plan_.ports == 0) return {.host = kFirstHost + opened_ % kHosts};
    const std::uint16_t port = free_ports_.front();
    free_ports_.pop_front();
    return {.host = kFirstHost, .port = port};
  }

  void wait() {
    std::array<epoll_event, 256> events{};
    const int timeout_ms = plan_.rate > 0 ? 1 : 20;
    const int ready = epoll_wait(epoll_, events.data(), events.size(), timeout_ms);
    for (int i = 0; i < ready; ++i) {
      const auto found = open_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (found != open_.end()) advance(found->first, *found->second);
    }
  }

  void advance(int fd, Connection& connection) {
    const bool was_connecting = connection.state() == Connection::State::connecting;
    connection.on_event();
    if (was_connecting && connection.state() == Connection::State::connected) {
      if (!plan_.hold)
        connection.ask();
      else
        ++waiting_;
    }
    settle(fd, connection);
  }

  void settle(int fd, Connection& connection) {
    if (connection.state() != Connection::State::done) return;
    record(connection);
    open_.erase(fd);
  }

  // Every connection is open at the same time: let them stay so, then use and close each.
  void release() {
    if (held_ == 0) {
      held_ = waiting_;
      release_at_ = elapsed() + plan_.hold_seconds;
    }
    if (elapsed() < release_at_ || released_) return;
    released_ = true;
    std::vector<int> all;
    for (const auto& [fd, connection] : open_) all.push_back(fd);
    for (const int fd : all) {
      open_.at(fd)->ask();
      settle(fd, *open_.at(fd));
    }
  }

  void expire() {
    if (elapsed() < next_scan_) return;
    next_scan_ = elapsed() + 0.1;
    const auto limit = Clock::now() - std::chrono::duration<double>(plan_.timeout);
    std::vector<int> late;
    for (const auto& [fd, connection] : open_)
      if (connection->started() < limit) late.push_back(fd);
    for (const int fd : late) {
      Connection& connection = *open_.at(fd);
      const bool connecting = connection.state() == Connection::State::connecting;
      connection.fail(connecting ? "connect_timeout" : "response_timeout");
      settle(fd, connection);
    }
  }

  void record(const Connection& connection) {
    ++ended_;
    if (plan_.ports > 0) free_ports_.push_back(connection.source().port);
    retransmits_ += connection.retransmits();
    if (!connection.succeeded()) {
      ++failures_[connection.failure()];
      return;
    }
    connect_ms_.push_back(milliseconds(connection.connect_time()));
    total_ms_.push_back(milliseconds(connection.total_time()));
    if (total_ms_.back() > kSlowMs) ++slow_;
  }

  Json report() const {
    Json failed = Json::object();
    for (const auto& [reason, count] : failures_) failed[reason] = count;
    return {{"connections", plan_.connections},
            {"ok", total_ms_.size()},
            {"failed", failed},
            {"held", held_},
            {"seconds", elapsed()},
            {"retransmits", retransmits_},
            {"above_200_ms", slow_},
            {"connect_ms", quantiles(connect_ms_)},
            {"total_ms", quantiles(total_ms_)}};
  }

  const Plan& plan_;
  const Request& request_;
  int epoll_;
  Clock::time_point start_;
  std::map<int, std::unique_ptr<Connection>> open_;
  unsigned opened_ = 0;
  unsigned ended_ = 0;
  std::size_t waiting_ = 0;
  std::size_t held_ = 0;
  bool released_ = false;
  double release_at_ = 0;
  double next_scan_ = 0;
  std::uint64_t retransmits_ = 0;
  std::map<std::string, unsigned> failures_;
  std::deque<std::uint16_t> free_ports_;
  unsigned slow_ = 0;
  std::vector<double> connect_ms_;
  std::vector<double> total_ms_;
};

void describe(CLI::App& app, Plan& plan) {
  app.add_option("--interface", plan.interface, "the lab client's interface");
  app.add_option("--target", plan.target, "ADDRESS:PORT of a lab backend")->required();
  app.add_option("--path", plan.path, "what to ask for")->capture_default_str();
  app.add_option("--expect", plan.expect, "file with the body to expect")->required();
  app.add_option("--connections", plan.connections)->check(CLI::Range(1U, kMaxConnections));
  app.add_option("--concurrency", plan.concurrency, "open at once")->check(CLI::Range(1U, 60'000U));
  app.add_option("--ports", plan.ports, "of one address, used again and again")
      ->check(CLI::Range(1U, 40'000U));
  app.add_option("--rate", plan.rate, "connections per second; 0: as the concurrency allows");
  app.add_option("--timeout", plan.timeout, "seconds for one connection")
      ->check(CLI::Range(0.01, 600.0));
  app.add_flag("--hold", plan.hold, "open all, keep them open at once, then ask and close each");
  app.add_option("--hold-seconds", plan.hold_seconds)->check(CLI::Range(0.0, 300.0));
}

int refuse(const std::string& what) {
  std::fprintf(stderr, "load: refused: %s\n", what.c_str());
  return 1;
}

int load(const Plan& plan) {
  const auto link = require_lab(plan.interface);
  if (!link) return refuse(link.error());
  const auto target = parse_target(plan.target);
  if (!target) return refuse(target.error());
  if (const auto allowed = require_lab_target(*target); !allowed) return refuse(allowed.error());
  std::ifstream file(plan.expect, std::ios::binary);
  if (!file) return refuse("cannot read " + plan.expect);
  const Request request{*target,
                        "GET " + plan.path + " HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n",
                        {std::istreambuf_iterator<char>(file), {}}};
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  std::puts(Load(plan, request).run().dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  Plan plan;
  CLI::App app{"HTTP connections inside synward's test lab"};
  describe(app, plan);
  CLI11_PARSE(app, argc, argv);
  return load(plan);
}
