// SPDX-License-Identifier: GPL-2.0-or-later
//
// One HTTP connection of the load generator: connect, ask, read to the end, compare every byte.
#pragma once
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/lab/guard.h"

namespace synward::lab {

using Clock = std::chrono::steady_clock;

// What every connection of a run shares.
struct Request {
  Target target;
  std::string text;           // the whole HTTP request
  std::string expected_body;  // compared byte by byte
};

// Where a connection comes from: one of the client's hosts; 0 is any port.
struct Source {
  unsigned host = 0;
  std::uint16_t port = 0;
};

class Connection {
 public:
  enum class State { connecting, connected, asking, reading, done };

  Connection(const Request& request, Source source);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&& other) = delete;
  Connection& operator=(Connection&& other) = delete;

  // The socket became ready. Stops at `connected`: ask() goes on.
  void on_event();
  void ask();
  void fail(const std::string& reason);

  int fd() const { return fd_; }
  State state() const { return state_; }
  bool succeeded() const { return state_ == State::done && failure_.empty(); }
  const std::string& failure() const { return failure_; }
  const Source& source() const { return source_; }
  Clock::time_point started() const { return started_; }
  Clock::duration connect_time() const { return connected_ - started_; }
  Clock::duration total_time() const { return ended_ - started_; }
  std::uint32_t retransmits() const { return retransmits_; }

 private:
  void open();
  void on_connected();
  void write_request();
  void read_response();
  void take(const char* data, std::size_t length);
  void take_body(const char* data, std::size_t length);
  bool check_header();
  void on_end_of_stream();
  void finish();
  void fail_with_errno(int error);

  const Request& request_;
  const Source source_;
  int fd_ = -1;
  State state_ = State::connecting;
  Clock::time_point started_;
  Clock::time_point connected_;
  Clock::time_point ended_;
  std::size_t written_ = 0;
  std::string header_;
  bool header_complete_ = false;
  std::size_t body_read_ = 0;
  std::uint32_t retransmits_ = 0;
  std::string failure_;
};

}  // namespace synward::lab
