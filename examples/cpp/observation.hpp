// The fields of a policy's observation (docs/policy-file.md), from two messages of telemetry.

#pragma once

#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

using Vector = std::vector<double>;
using Arrays = std::map<std::string, Vector>;

// Returns factor * x.
inline Vector scaled(double factor, Vector x) {
  for (double& entry : x) entry *= factor;
  return x;
}

// Returns x + factor * y.
inline Vector add(Vector x, double factor, const Vector& y) {
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += factor * y.at(i);
  return x;
}

inline double norm(const Vector& x) {
  double sum = 0.0;
  for (double entry : x) sum += entry * entry;
  return std::sqrt(sum);
}

// Returns p(q), the end effector in the world frame [m]. Denavit-Hartenberg parameters (Craig's
// convention) per link: a [m], twist [quarter turns], d [m]. The lengths are those of
// docs/plant.md, the twists those of the Franka Control Interface documentation.
inline Vector end_effector(const Vector& q) {
  constexpr double kQuarter = 1.57079632679489662;
  constexpr std::array<std::array<double, 3>, 8> kLinks{{{0, 0, .333},
                                                         {0, -1, 0},
                                                         {0, 1, .316},
                                                         {.0825, 1, 0},
                                                         {-.0825, -1, .384},
                                                         {0, 1, 0},
                                                         {.088, 1, 0},
                                                         {0, 0, .107 + .1034}}};
  Vector p{-.6, 0, 0}, x{1, 0, 0}, y{0, 1, 0}, z{0, 0, 1};  // origin and axes of the link
  const auto turn = [](Vector& from, Vector& to, double angle) {
    const Vector old = from;
    from = add(scaled(std::cos(angle), old), std::sin(angle), to);
    to = add(scaled(std::cos(angle), to), -std::sin(angle), old);
  };
  for (std::size_t i = 0; i < kLinks.size(); ++i) {
    const auto& [a, twist, d] = kLinks[i];
    p = add(p, a, x);
    turn(y, z, twist * kQuarter);
    p = add(p, d, z);
    if (i < 7) turn(x, y, q.at(i));
  }
  return p;
}

// Returns the angular velocity [rad/s], in axes of the world, between two orientations.
inline Vector angular_velocity(const Vector& from, const Vector& to, double seconds) {
  const Vector a(from.begin() + 1, from.end()), b(to.begin() + 1, to.end());
  const Vector cross{a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2],
                     a[0] * b[1] - a[1] * b[0]};
  const Vector sine = add(add(scaled(from.at(0), b), -to.at(0), a), 1, cross);
  const double cosine = from[0] * to[0] + a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  return scaled((cosine < 0 ? -2 : 2) / seconds, sine);
}

// Returns the fields by name. Telemetry has no velocity of the cube or of the set-point, so
// they are differences, and lag by half of the time between the messages.
inline Arrays observation_fields(const nlohmann::json& earlier, const nlohmann::json& newest,
                                 double servo_period_s) {
  Arrays fields;
  for (const char* name : {"joint_position", "joint_velocity", "end_effector_position",
                           "end_effector_velocity"})
    fields[name] = newest.at(name).get<Vector>();
  // By ticks, since the time of a message includes the delay of its tick.
  const double ticks = newest.at("tick").get<double>() - earlier.at("tick").get<double>();
  const double seconds = ticks * servo_period_s;
  const Vector hand = fields["end_effector_position"];
  const Vector setpoint = end_effector(newest.at("joint_setpoint"));
  const Vector before = end_effector(earlier.at("joint_setpoint"));
  fields["setpoint_gap"] = add(setpoint, -1, hand);
  fields["setpoint_velocity"] = scaled(1 / seconds, add(setpoint, -1, before));
  fields["gripper_width"] = {newest.at("gripper_width").get<double>()};
  if (!newest.at("objects").contains("cube")) return fields;

  const nlohmann::json& cube = newest["objects"]["cube"];
  const nlohmann::json& old = earlier.at("objects").at("cube");
  const Vector position = cube.at("position"), quaternion = cube.at("quaternion");
  fields["cube_position"] = position;
  fields["cube_quaternion"] = scaled(quaternion.at(0) < 0 ? -1 : 1, quaternion);
  fields["cube_velocity"] = scaled(1 / seconds, add(position, -1, old.at("position")));
  fields["cube_angular_velocity"] = angular_velocity(old.at("quaternion"), quaternion, seconds);
  fields["cube_from_end_effector"] = add(position, -1, hand);
  return fields;
}
