// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <chrono>
#include <expected>
#include <optional>
#include <string>

namespace synward::service {

// TERM, INT and HUP as a file descriptor instead of handlers. They stay blocked after this object
// is gone: a second TERM during the clean-up must not end the process half-way.
class Signals {
 public:
  // Call before any thread exists: threads inherit the mask, and a thread without it would take
  // the signal and die of it. SIGPIPE is ignored: a log reader that goes away is no reason to stop.
  static std::expected<Signals, std::string> block();
  Signals(Signals&& other) noexcept;
  Signals& operator=(Signals&& other) noexcept;
  ~Signals();

  int fd() const { return fd_; }
  // SIGTERM, SIGINT or SIGHUP; nullopt after the timeout (or a stop and continue of the process).
  std::optional<int> wait(std::chrono::milliseconds timeout);

 private:
  explicit Signals(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace synward::service
