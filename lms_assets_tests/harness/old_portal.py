"""A portal's database from before this project: narrow ids, a unique e-mail, columns and tables of its own, rows."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

UTF8MB4 = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci"
LATIN1 = "ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci ROW_FORMAT=COMPACT"
UTF8MB3 = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci"

TABLES = (
    """CREATE TABLE partners (
        id {serial}, account_name VARCHAR(255) NOT NULL UNIQUE, partner_tier VARCHAR(50),
        account_status VARCHAR(50) DEFAULT 'Active', account_region VARCHAR(50), country VARCHAR(50),
        account_owner VARCHAR(100), owner_email VARCHAR(255), primary_user_name VARCHAR(100),
        primary_user_email VARCHAR(255), partner_type VARCHAR(50), website VARCHAR(255),
        salesforce_id VARCHAR(50), parent_partner_id INTEGER, impartner_id INTEGER,
        is_active BOOLEAN NOT NULL DEFAULT 1, deleted_at DATETIME, total_npcu INTEGER DEFAULT 0,
        internal_notes VARCHAR(200) NOT NULL DEFAULT 'none', created_at DATETIME, updated_at DATETIME)""",
    """CREATE TABLE contacts (
        id {serial}, partner_id INTEGER, email VARCHAR(255) NOT NULL UNIQUE, first_name VARCHAR(100),
        last_name VARCHAR(100), title VARCHAR(100), phone VARCHAR(50), is_primary BOOLEAN DEFAULT 0,
        lms_user_id VARCHAR(50), is_active BOOLEAN NOT NULL DEFAULT 1, favourite_colour VARCHAR(20),
        CONSTRAINT fk_contact_partner FOREIGN KEY (partner_id) REFERENCES partners (id) ON DELETE SET NULL)""",
    """CREATE TABLE lms_users (
        id VARCHAR(50) NOT NULL PRIMARY KEY, email VARCHAR(255) NOT NULL {unique}, first_name VARCHAR(100),
        last_name VARCHAR(100), status VARCHAR(20) DEFAULT 'active', is_active BOOLEAN DEFAULT 1,
        contact_id INTEGER, avatar_url VARCHAR(300), synced_at DATETIME{email_key},
        CONSTRAINT fk_user_contact FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE SET NULL)""",
    """CREATE TABLE lms_groups (
        id VARCHAR(50) NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL, description TEXT, user_count INTEGER,
        partner_id INTEGER, is_active BOOLEAN DEFAULT 1, synced_at DATETIME,
        CONSTRAINT fk_group_partner FOREIGN KEY (partner_id) REFERENCES partners (id) ON DELETE SET NULL)""",
    """CREATE TABLE lms_group_members (
        group_id VARCHAR(50) NOT NULL, user_id VARCHAR(50) NOT NULL, added_at DATETIME, PRIMARY KEY (group_id, user_id),
        CONSTRAINT fk_member_group FOREIGN KEY (group_id) REFERENCES lms_groups (id) ON DELETE CASCADE,
        CONSTRAINT fk_member_user FOREIGN KEY (user_id) REFERENCES lms_users (id) ON DELETE CASCADE)""",
    """CREATE TABLE lms_courses (
        id VARCHAR(50) NOT NULL PRIMARY KEY, name VARCHAR(255), npcu_value INTEGER DEFAULT 0,
        is_certification BOOLEAN DEFAULT 0, certification_category VARCHAR(50))""",
    """CREATE TABLE lms_enrollments (
        id VARCHAR(50) NOT NULL PRIMARY KEY, user_id VARCHAR(50) NOT NULL, course_id VARCHAR(50) NOT NULL,
        status VARCHAR(20) NOT NULL, completed_at DATETIME, expires_at DATETIME, score DECIMAL(5,2),
        CONSTRAINT fk_enrollment_user FOREIGN KEY (user_id) REFERENCES lms_users (id) ON DELETE CASCADE,
        CONSTRAINT fk_enrollment_course FOREIGN KEY (course_id) REFERENCES lms_courses (id) ON DELETE CASCADE)""",
    """CREATE TABLE sync_logs (
        id {serial}, sync_type {sync_type} NOT NULL, status VARCHAR(20) NOT NULL, started_at DATETIME NOT NULL,
        completed_at DATETIME, records_processed INTEGER DEFAULT 0, error_message TEXT)""",
    """CREATE TABLE scheduled_tasks (
        id {serial}, task_type VARCHAR(50) NOT NULL UNIQUE, task_name VARCHAR(100), enabled BOOLEAN DEFAULT 1,
        cron_expression VARCHAR(50), last_run_at DATETIME)""",
    "CREATE TABLE portal_sessions (token VARCHAR(64) NOT NULL PRIMARY KEY, person VARCHAR(100))",
    """CREATE TABLE portal_badges (
        id {serial}, user_id VARCHAR(50) DEFAULT 'nobody''s', colour VARCHAR(20),
        CONSTRAINT fk_badge_user FOREIGN KEY (user_id) REFERENCES lms_users (id) ON DELETE CASCADE)""",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
)

ROWS = (
    "INSERT INTO partners (id, account_name, partner_tier, impartner_id, internal_notes, total_npcu) VALUES "
    "(1, 'Example Ltd', 'Premier', 11, 'call on Mondays', 7), (2, 'Müller & Söhne GmbH', 'Select', NULL, 'none', NULL)",
    "INSERT INTO contacts (id, partner_id, email, lms_user_id, favourite_colour) VALUES "
    "(5, 1, 'ada@example.com', 'u-1', 'green'), (6, NULL, 'bob@example.com', NULL, NULL)",
    "INSERT INTO lms_users (id, email, first_name, contact_id, avatar_url) VALUES "
    "('u-1', 'ada@example.com', 'Ada', 5, '/a.png'), ('u-2', 'bob@example.com', 'Bob', NULL, NULL)",
    "INSERT INTO lms_groups (id, name, partner_id) VALUES ('g-1', 'ptr_Example', 1)",
    "INSERT INTO lms_group_members (group_id, user_id, added_at) VALUES ('g-1', 'u-1', '2024-05-06 07:08:09')",
    "INSERT INTO lms_courses (id, name, npcu_value, is_certification, certification_category) VALUES "
    "('c-1', 'Something by hand', 2, 1, 'nintex_ce')",
    "INSERT INTO lms_enrollments (id, user_id, course_id, status, completed_at, score) VALUES "
    "('e-1', 'u-1', 'c-1', 'completed', '2024-01-02 03:04:05', 88.50)",
    "INSERT INTO sync_logs (sync_type, status, started_at) VALUES ('users', 'completed', '2024-01-01 00:00:00')",
    "INSERT INTO scheduled_tasks (task_type, task_name, cron_expression) VALUES ('users', 'Users', '0 1 * * *')",
    "INSERT INTO portal_sessions VALUES ('t0ken', 'ada')",
    "INSERT INTO portal_badges (id, user_id, colour) VALUES (1, 'u-1', 'gold')",
    "INSERT INTO alembic_version VALUES ('portal_0042')",
)

NAMES = [statement.split()[2] for statement in TABLES]


def make_old_portal(url: str, options: str = UTF8MB4) -> None:
    """Make the tables and rows in an empty database; `options` are those of its tables on MySQL."""
    parsed = make_url(url)
    mysql = parsed.get_backend_name() == "mysql"
    words = {
        "serial": "INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY" if mysql else "INTEGER NOT NULL PRIMARY KEY",
        "sync_type": "ENUM('users', 'groups', 'enrollments')" if mysql else "VARCHAR(30)",
        "unique": "" if mysql else "UNIQUE",
        "email_key": ", UNIQUE KEY email (email)" if mysql else "",
    }
    engine = create_engine(parsed.set(drivername="mysql+pymysql") if mysql else parsed)
    with engine.begin() as connection:
        for statement in TABLES:
            connection.execute(text(statement.format(**words) + (f" {options}" if mysql else "")))
        for statement in ROWS:
            connection.execute(text(statement))
    engine.dispose()


def contents(connection: Connection, columns_of: dict[str, list[str]]) -> dict[str, list[tuple[object, ...]]]:
    """Every row of these columns, by table."""
    return {
        table: sorted(
            (tuple(row) for row in connection.execute(text(f"SELECT {', '.join(names)} FROM {table}"))), key=repr
        )
        for table, names in columns_of.items()
    }


__all__ = ["LATIN1", "NAMES", "UTF8MB3", "UTF8MB4", "contents", "make_old_portal"]
