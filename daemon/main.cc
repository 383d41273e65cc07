// SPDX-License-Identifier: GPL-2.0-or-later
//
// synward: from the command line to the running daemon, in order.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <string_view>
#include <system_error>

#include "config/dump.h"
#include "config/load.h"
#include "daemon/daemon.h"
#include "daemon/service/args.h"
#include "daemon/service/log.h"
#include "daemon/service/notify.h"
#include "daemon/service/signals.h"

namespace {

using namespace synward;

int run(const config::Settings& settings, const std::string& config_file) {
  // Before any thread exists: threads inherit the mask.
  auto signals = service::Signals::block();
  if (!signals) {
    service::log_error("{}", signals.error());
    return service::exit_failure;
  }
  auto daemon = Daemon::start(settings, config_file);
  if (!daemon) {
    service::log_error("{}", daemon.error());
    return service::exit_failure;
  }
  service::notify_ready();
  if ((*daemon)->run(*signals)) return service::exit_ok;
  // To wait for the thread that hangs is what a destructor would do.
  _exit(service::exit_failure);
}

// Whether a full disk has taken it is known only after the flush.
int print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return service::exit_ok;
  }
  service::log_error("cannot write to standard output: {}", std::generic_category().message(errno));
  return service::exit_failure;
}

int synward_main(int argc, char** argv) {
  const auto args = service::parse_args(argc, argv);
  if (!args) {
    if (args.error().status == service::exit_ok) return print(args.error().text);
    fmt::print(stderr, "{}", args.error().text);
    return args.error().status;
  }
  service::enable_debug_log(args->verbose);

  const config::Loaded loaded = config::load_file(args->config_file);
  for (const config::Problem& problem : loaded.problems) {
    fmt::print(stderr, "{}\n", config::format_problem(args->config_file, problem));
  }
  if (!loaded.problems.empty()) return service::exit_config;
  if (args->dump_config) return print(config::dump(loaded.settings));
  if (args->check_config) return service::exit_ok;
  return run(loaded.settings, args->config_file);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return synward_main(argc, argv);
  } catch (const std::exception& error) {
    // Nothing on the packet path throws: this is start-up, out of memory as a rule.
    synward::service::log_error("{}", error.what());
    return synward::service::exit_failure;
  }
}
