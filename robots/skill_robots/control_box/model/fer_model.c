/*
 * Kinematics and dynamics of the Panda (FER), as the shared library that libfranka 0.9 downloads
 * from the robot (request LoadModelLibrary) and calls for franka::Model.
 *
 * Names and arguments of the exported functions are those that libfranka 0.9.2 declares in
 * src/libfcimodels.h. Vectors and matrices are arrays of double; matrices are column-major.
 * Frames: O base, J1 to J7 the joint frames, J8 the flange, J9 the end effector.
 *
 * Poses are products of the joint transforms. The dynamics are the recursive Newton-Euler
 * algorithm (Luh, Walker, Paul 1980; Featherstone, "Rigid Body Dynamics Algorithms", 2008,
 * chapter 5): accelerations outwards from the base, forces inwards from the flange.
 *
 * fer_constants.h is generated from the robot's MuJoCo model, so that clients and simulation
 * compute with the same numbers. It defines
 *   JOINT_POSITION[7][3]  origin of each joint frame in its parent [m]
 *   JOINT_ROTATION[7][9]  its axes in its parent at joint position 0, row-major
 *   FLANGE[3]             flange in J7 [m]
 *   LINK_MASS[7]          [kg]
 *   LINK_CENTRE[7][3]     centre of mass in the link's joint frame [m]
 *   LINK_INERTIA[7][9]    about the centre of mass, row-major [kg m^2]
 */
#include <math.h>
#include <string.h>

#include "fer_constants.h"

#define JOINTS 7
#define FLANGE_FRAME 8
#define END_EFFECTOR_FRAME 9

typedef double Vector[3];
typedef double Matrix[9]; /* row-major */

typedef struct {
  Matrix rotation; /* axes in O */
  Vector position; /* origin in O */
} Frame;

typedef struct {
  double mass;
  Vector centre;  /* in J7 */
  Matrix inertia; /* about the centre of mass, in J7 */
} Load;

static void multiply_vector(const Matrix m, const Vector v, Vector result) {
  for (int i = 0; i < 3; ++i) {
    result[i] = m[3 * i] * v[0] + m[3 * i + 1] * v[1] + m[3 * i + 2] * v[2];
  }
}

static void multiply_transposed(const Matrix m, const Vector v, Vector result) {
  for (int i = 0; i < 3; ++i) {
    result[i] = m[i] * v[0] + m[3 + i] * v[1] + m[6 + i] * v[2];
  }
}

static void multiply(const Matrix a, const Matrix b, Matrix result) {
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      result[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
    }
  }
}

static void cross(const Vector a, const Vector b, Vector result) {
  result[0] = a[1] * b[2] - a[2] * b[1];
  result[1] = a[2] * b[0] - a[0] * b[2];
  result[2] = a[0] * b[1] - a[1] * b[0];
}

static void add(Vector sum, const Vector v) {
  for (int i = 0; i < 3; ++i) {
    sum[i] += v[i];
  }
}

/* Rotation of joint frame `joint` in its parent. */
static void joint_rotation(int joint, double angle, Matrix result) {
  const double c = cos(angle), s = sin(angle);
  const Matrix about_z = {c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0};
  multiply(JOINT_ROTATION[joint], about_z, result);
}

/* ---- Kinematics --------------------------------------------------------------------------- */

/* Appends a frame that is fixed in `frame`. */
static void append(Frame *frame, const Vector position, const Matrix rotation) {
  Vector offset;
  Matrix turned;
  multiply_vector(frame->rotation, position, offset);
  add(frame->position, offset);
  multiply(frame->rotation, rotation, turned);
  memcpy(frame->rotation, turned, sizeof(Matrix));
}

/* Fills frames[0] (O) to frames[7] (J7). */
static void joint_frames(const double *q, Frame frames[JOINTS + 1]) {
  static const Frame base = {{1, 0, 0, 0, 1, 0, 0, 0, 1}, {0, 0, 0}};
  frames[0] = base;
  for (int i = 0; i < JOINTS; ++i) {
    Matrix rotation;
    frames[i + 1] = frames[i];
    joint_rotation(i, q[i], rotation);
    append(&frames[i + 1], JOINT_POSITION[i], rotation);
  }
}

/* Frame J1 to J9; `F_T_EE`, column-major 4x4, is used for J9 only. */
static Frame frame_of(const Frame frames[JOINTS + 1], int index, const double *F_T_EE) {
  static const Matrix identity = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  Frame frame = frames[index < JOINTS ? index : JOINTS];
  if (index >= FLANGE_FRAME) {
    append(&frame, FLANGE, identity);
  }
  if (index == END_EFFECTOR_FRAME) {
    const Matrix rotation = {F_T_EE[0], F_T_EE[4], F_T_EE[8],  F_T_EE[1], F_T_EE[5],
                             F_T_EE[9], F_T_EE[2], F_T_EE[6], F_T_EE[10]};
    append(&frame, F_T_EE + 12, rotation);
  }
  return frame;
}

static void pose(const double *q, int index, const double *F_T_EE, double *O_T_J) {
  Frame frames[JOINTS + 1];
  joint_frames(q, frames);
  const Frame frame = frame_of(frames, index, F_T_EE);
  for (int column = 0; column < 3; ++column) {
    for (int row = 0; row < 3; ++row) {
      O_T_J[4 * column + row] = frame.rotation[3 * row + column];
    }
    O_T_J[4 * column + 3] = 0.0;
    O_T_J[12 + column] = frame.position[column];
  }
  O_T_J[15] = 1.0;
}

/*
 * Geometric Jacobian (6x7, column-major) of the origin of a frame: linear above angular velocity,
 * in O or in the axes of the frame itself.
 */
static void jacobian(const double *q, int index, const double *F_T_EE, int in_frame, double *J) {
  Frame frames[JOINTS + 1];
  joint_frames(q, frames);
  const Frame frame = frame_of(frames, index, F_T_EE);
  memset(J, 0, 6 * JOINTS * sizeof(double));
  for (int i = 1; i <= JOINTS && i <= index; ++i) {
    const double *rotation = frames[i].rotation;
    const Vector axis = {rotation[2], rotation[5], rotation[8]};
    Vector lever, linear;
    for (int k = 0; k < 3; ++k) {
      lever[k] = frame.position[k] - frames[i].position[k];
    }
    cross(axis, lever, linear);
    double *column = J + 6 * (i - 1);
    if (in_frame) {
      multiply_transposed(frame.rotation, linear, column);
      multiply_transposed(frame.rotation, axis, column + 3);
    } else {
      memcpy(column, linear, sizeof(Vector));
      memcpy(column + 3, axis, sizeof(Vector));
    }
  }
}

/* ---- Dynamics ----------------------------------------------------------------------------- */

typedef struct {
  Vector velocity;     /* angular */
  Vector acceleration; /* angular */
  Vector linear;       /* acceleration of the origin, minus gravity */
} Motion;

/* The motion of joint frame `joint` from the motion of its parent, in the frame's own axes. */
static Motion next_motion(const Motion *parent, int joint, const Matrix rotation, double velocity,
                          double acceleration) {
  Motion motion;
  Vector arm, turned, term, origin;
  const double *offset = JOINT_POSITION[joint];

  cross(parent->velocity, offset, arm);
  cross(parent->velocity, arm, origin);
  cross(parent->acceleration, offset, term);
  add(origin, term);
  add(origin, parent->linear);
  multiply_transposed(rotation, origin, motion.linear);

  multiply_transposed(rotation, parent->velocity, turned);
  multiply_transposed(rotation, parent->acceleration, motion.acceleration);
  const Vector spin = {0.0, 0.0, velocity};
  cross(turned, spin, term);
  add(motion.acceleration, term);
  motion.acceleration[2] += acceleration;

  memcpy(motion.velocity, turned, sizeof(Vector));
  motion.velocity[2] += velocity;
  return motion;
}

/* Adds force and moment about the origin that a body needs for its motion. */
static void add_inertial_force(const Motion *motion, double mass, const Vector centre,
                               const Matrix inertia, Vector force, Vector moment) {
  Vector arm, acceleration, term, momentum;
  cross(motion->velocity, centre, arm);
  cross(motion->velocity, arm, acceleration);
  cross(motion->acceleration, centre, term);
  add(acceleration, term);
  add(acceleration, motion->linear);

  Vector own_force = {mass * acceleration[0], mass * acceleration[1], mass * acceleration[2]};
  add(force, own_force);

  multiply_vector(inertia, motion->acceleration, term);
  add(moment, term);
  multiply_vector(inertia, motion->velocity, momentum);
  cross(motion->velocity, momentum, term);
  add(moment, term);
  cross(centre, own_force, term);
  add(moment, term);
}

/* Joint torques for a motion; NULL stands for zero velocity or acceleration. */
static void inverse_dynamics(const double *q, const double *dq, const double *ddq,
                             const Vector gravity, const Load *load, double *torque) {
  static const Vector zero = {0.0, 0.0, 0.0};
  Matrix rotation[JOINTS];
  Motion motion[JOINTS + 1];
  memset(&motion[0], 0, sizeof(Motion));
  for (int k = 0; k < 3; ++k) {
    motion[0].linear[k] = -gravity[k];
  }
  for (int i = 0; i < JOINTS; ++i) {
    joint_rotation(i, q[i], rotation[i]);
    motion[i + 1] =
        next_motion(&motion[i], i, rotation[i], dq ? dq[i] : 0.0, ddq ? ddq[i] : 0.0);
  }

  Vector force, moment;
  memcpy(force, zero, sizeof(Vector));
  memcpy(moment, zero, sizeof(Vector));
  for (int i = JOINTS - 1; i >= 0; --i) {
    if (i < JOINTS - 1) { /* from the frame of the next link to the frame of this one */
      Vector child_force, child_moment, term;
      multiply_vector(rotation[i + 1], force, child_force);
      multiply_vector(rotation[i + 1], moment, child_moment);
      cross(JOINT_POSITION[i + 1], child_force, term);
      memcpy(force, child_force, sizeof(Vector));
      memcpy(moment, child_moment, sizeof(Vector));
      add(moment, term);
    } else {
      add_inertial_force(&motion[JOINTS], load->mass, load->centre, load->inertia, force, moment);
    }
    add_inertial_force(&motion[i + 1], LINK_MASS[i], LINK_CENTRE[i], LINK_INERTIA[i], force,
                       moment);
    torque[i] = moment[2];
  }
}

/* The load of a caller is in the frame of the flange, whose axes are those of J7. */
static Load load_in_j7(const double *inertia, double mass, const double *centre) {
  Load load;
  load.mass = mass;
  for (int k = 0; k < 3; ++k) {
    load.centre[k] = centre[k] + FLANGE[k];
  }
  for (int k = 0; k < 9; ++k) { /* symmetric: row-major equals column-major */
    load.inertia[k] = inertia ? inertia[k] : 0.0;
  }
  return load;
}

/* ---- Exported functions ------------------------------------------------------------------- */

/* Mass matrix (7x7). */
void M_NE(const double *q, const double *I_load, double m_load, const double *F_x_Cload,
          double *M) {
  static const Vector no_gravity = {0.0, 0.0, 0.0};
  const Load load = load_in_j7(I_load, m_load, F_x_Cload);
  for (int i = 0; i < JOINTS; ++i) {
    double unit[JOINTS] = {0.0};
    unit[i] = 1.0;
    inverse_dynamics(q, NULL, unit, no_gravity, &load, M + JOINTS * i);
  }
}

/* Coriolis and centrifugal torques. */
void c_NE(const double *q, const double *dq, const double *I_load, double m_load,
          const double *F_x_Cload, double *c) {
  static const Vector no_gravity = {0.0, 0.0, 0.0};
  const Load load = load_in_j7(I_load, m_load, F_x_Cload);
  inverse_dynamics(q, dq, NULL, no_gravity, &load, c);
}

/* Torques that hold the arm against gravity. */
void g_NE(const double *q, const double *gravity_earth, double m_load, const double *F_x_Cload,
          double *g) {
  const Load load = load_in_j7(NULL, m_load, F_x_Cload);
  inverse_dynamics(q, NULL, NULL, gravity_earth, &load, g);
}

/* The Jacobian of J1 is constant in its own axes, so libfranka passes no joint position. */
static const double any_position[JOINTS] = {0.0};

void Ji_J_J1(double *J) { jacobian(any_position, 1, NULL, 1, J); }
void O_J_J1(double *J) { jacobian(any_position, 1, NULL, 0, J); }

#define EXPORT_FRAME(n)                                                                      \
  void Ji_J_J##n(const double *q, double *J) { jacobian(q, n, NULL, 1, J); }                 \
  void O_J_J##n(const double *q, double *J) { jacobian(q, n, NULL, 0, J); }                  \
  void O_T_J##n(const double *q, double *O_T_J) { pose(q, n, NULL, O_T_J); }

EXPORT_FRAME(2)
EXPORT_FRAME(3)
EXPORT_FRAME(4)
EXPORT_FRAME(5)
EXPORT_FRAME(6)
EXPORT_FRAME(7)
EXPORT_FRAME(8)

void O_T_J1(const double *q, double *O_T_J) { pose(q, 1, NULL, O_T_J); }

void Ji_J_J9(const double *q, const double *F_T_EE, double *J) { jacobian(q, 9, F_T_EE, 1, J); }
void O_J_J9(const double *q, const double *F_T_EE, double *J) { jacobian(q, 9, F_T_EE, 0, J); }
void O_T_J9(const double *q, const double *F_T_EE, double *O_T_J) { pose(q, 9, F_T_EE, O_T_J); }
