// Borrows the policy of a server (`act`), and steers the served arm with its actions, as it would
// steer an arm of its own. Written from docs/protocol.md, docs/policy-file.md and docs/plant.md.
//
//     act --address tcp://127.0.0.1:5555 --goal 0.05,0.05 --seconds 20

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "observation.hpp"
#include "server.hpp"

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using Options = std::map<std::string, std::string>;

constexpr double kLeaseTtl = 2.0;   // time to live of the lease without a renewal [s]
constexpr double kValidFor = 0.3;   // validity of a target after its reference time [s]
constexpr int kStartMs = 20000;     // longest wait for the first action, which starts the service
constexpr int kStepsAtGoal = 5;     // an object that slides through the goal does not count

volatile std::sig_atomic_t interrupted = 0;

// One session of the policy, which brings its object to a goal.
class Pusher {
 public:
  Pusher(Server& server, std::string session, Vector goal)
      : server_(server), manifest_(server.welcome.at("manifest")), session_(std::move(session)),
        goal_(std::move(goal)) {
    const json& action = manifest_.at("action");
    if (action.size() != 1 || action[0].at("name") != "end_effector_displacement")
      throw std::runtime_error("the policy's action is not an end_effector_displacement alone");
    if (!manifest_.contains("goal") || manifest_["goal"].is_null())
      throw std::runtime_error("the policy takes no goals; serve models/goal_panda.onnx");
    const double step_s = 1 / manifest_.at("control_rate_hz").get<double>();
    step_ticks_ = std::lround(step_s / server.welcome.at("servo_period_s").get<double>());
  }

  // Waits for the next control step, and reads the observation of its beginning.
  void observe() {
    server_.observe(due_);
    const std::int64_t tick = server_.newest.at("tick");
    due_ += step_ticks_;
    if (due_ <= tick) due_ = tick + step_ticks_;  // missed steps are skipped
    fields_ = observation_fields(server_.earlier, server_.newest,
                                 server_.welcome.at("servo_period_s"));
  }

  double distance() const {
    const json& about = manifest_.at("goal");
    Vector achieved;
    for (const std::size_t i : about.at("components").get<std::vector<std::size_t>>())
      achieved.push_back(fields_.at(about.at("field")).at(i));
    return norm(add(achieved, -1, goal_));
  }

  // Asks for the action of this step and returns its target for the end effector [m].
  Vector target(bool held, int timeout_ms = kTimeoutMs) {
    Arrays arrays{{"observation", {}}, {"goal", goal_}};
    for (const json& field : manifest_.at("observation")) {
      const auto found = fields_.find(field.at("name"));
      if (found == fields_.end() || found->second.size() != field.at("size"))
        throw std::runtime_error("telemetry has no " + field.at("name").get<std::string>());
      Vector& observation = arrays["observation"];
      observation.insert(observation.end(), found->second.begin(), found->second.end());
    }
    if (held) arrays["previous_action"] = Vector(3, 0.0);  // the last action was not executed
    const json reply = server_.ask({{"type", "act"}, {"session", session_}}, arrays, timeout_ms);
    const std::int64_t steps = reply.at("steps");
    if (steps > ++steps_) throw std::runtime_error("another program sends to this session");
    if (steps < steps_) std::cerr << "act: the recurrent state was reset\n";
    steps_ = steps;
    return decode(reply.at("arrays").at(0).at("row"));
  }

 private:
  Vector decode(const Vector& action) const {
    const json& plant = manifest_.at("plant");
    const bool measured = plant.value("displacement_origin", "setpoint") == "measured";
    const Vector& hand = fields_.at("end_effector_position");
    Vector gap = measured ? Vector(3, 0.0) : fields_.at("setpoint_gap");
    const double scale = manifest_.at("action")[0].at("scale");
    const double most = plant.at("max_setpoint_error_m");
    for (std::size_t i = 0; i < 3; ++i) gap[i] += scale * std::clamp(action.at(i), -1.0, 1.0);
    if (norm(gap) > most) gap = scaled(most / norm(gap), gap);
    const Vector low = plant.at("workspace_low_m"), high = plant.at("workspace_high_m");
    Vector target = add(hand, 1, gap);
    for (std::size_t i = 0; i < 3; ++i) target[i] = std::clamp(target[i], low.at(i), high.at(i));
    return target;
  }

  Server& server_;
  const json manifest_;
  const std::string session_;
  const Vector goal_;
  std::int64_t step_ticks_ = 0, due_ = 0, steps_ = 0;
  Arrays fields_;
};

// Pushes until the goal is reached, the time is over, or Ctrl-C. Returns whether it is reached.
bool push(Server& server, Pusher& pusher, const std::string& lease, std::int64_t seq,
          double seconds) {
  const double radius = server.welcome.at("manifest").at("goal").at("stop_radius");
  const auto begin = Clock::now();
  auto renewal = begin;
  bool held = false;
  int steps_at_goal = 0;
  pusher.observe();
  while (!interrupted && steps_at_goal < kStepsAtGoal && Clock::now() - begin < Seconds(seconds)) {
    try {
      const Vector target = pusher.target(held);
      server.ask({{"type", "servo_pose"}, {"lease", lease}, {"seq", ++seq},
                  {"reference_time", server.time()}, {"valid_for_s", kValidFor},
                  {"end_effector_position", target}});
      held = false;
    } catch (const Refusal& refusal) {
      // After these refusals the next step may be accepted: the target was late, the arm has a
      // recoverable fault, or the recurrent state starts anew.
      const std::string& code = refusal.code;
      if (code != "stale" && code != "not_now" && code != "session_lost") throw;
      std::cerr << "act: " << refusal.what() << '\n';
      held = true;
    }
    if (Clock::now() >= renewal) {
      server.ask({{"type", "renew"}, {"lease", lease}});
      renewal = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(kLeaseTtl / 4));
    }
    pusher.observe();
    steps_at_goal = pusher.distance() <= radius ? steps_at_goal + 1 : 0;
  }
  server.ask({{"type", "hold"}, {"lease", lease}, {"seq", ++seq},
              {"reference_time", server.time()}});
  return steps_at_goal == kStepsAtGoal;
}

bool act(const Options& options, const Vector& goal, double seconds, const json& seed) {
  Server server(options.at("--address"), options.at("--telemetry"));
  Pusher start(server, "act.cpp starts the service", goal);
  start.observe();
  start.target(false, kStartMs);
  const json granted =
      server.ask({{"type", "acquire"}, {"holder", "act.cpp"}, {"ttl_s", kLeaseTtl}});
  const std::string lease = granted.at("lease");
  const json release{{"type", "release"}, {"lease", lease}};
  std::int64_t seq = granted.at("seq");
  try {
    if (!seed.is_null())
      server.ask({{"type", "reset"}, {"lease", lease}, {"seq", ++seq},
                  {"reference_time", server.time()}, {"seed", seed}});
    server.forget();  // the reset, or the end of the demo, has moved arm and object
    Pusher pusher(server, "act.cpp", goal);
    const bool reached = push(server, pusher, lease, seq, seconds);
    server.ask(release);
    std::cout << (reached ? "reached" : "not reached") << ": " << 100 * pusher.distance()
              << " cm from the goal; the arm holds\n";
    return reached;
  } catch (const std::exception&) {
    try {
      server.ask(release);
    } catch (const std::exception&) {
      // The arm holds anyway when the last target expires.
    }
    throw;
  }
}

int main(int count, char** words) {
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  Options options{{"--address", "tcp://127.0.0.1:5555"}, {"--telemetry", ""},
                  {"--goal", "0.05,0.05"}, {"--seconds", "20"}, {"--seed", "null"}};
  Vector goal;
  double seconds = 0.0;
  json seed;
  try {
    const std::vector<std::string> given(words + 1, words + count);
    for (std::size_t i = 0; i < given.size(); i += 2) options.at(given[i]) = given.at(i + 1);
    goal = json::parse('[' + options["--goal"] + ']').get<Vector>();
    seconds = std::stod(options["--seconds"]);
    seed = json::parse(options["--seed"]);
  } catch (const std::exception&) {
    std::cerr << "act [--address ADDRESS] [--telemetry ADDRESS] [--goal X,Y] [--seconds SECONDS] "
                 "[--seed NUMBER]\n";
    return 2;
  }
  try {
    return act(options, goal, seconds, seed) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "act: " << error.what() << " (" << options["--address"] << ")\n";
    return 1;
  }
}
