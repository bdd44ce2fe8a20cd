"""Names of people, firms, streets and towns by country: invented, with the letters and lengths that real lists have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """What customers of one country are made of. `towns`: (postal code, town, region); `forms`: legal forms."""

    language: str
    currency: str
    zone: str
    first: str
    last: str
    trades: str
    forms: str
    streets: str
    towns: tuple[tuple[str, str, str], ...]
    phone: str

    def words(self, what: str) -> list[str]:
        """The names of a kind, one each."""
        text: str = getattr(self, what)
        return [word.replace("_", " ") for word in text.split()]


PLACES: dict[str, Place] = {
    "DE": Place(
        "de", "EUR", "Europe/Berlin",
        "Anna Björn Jürgen Käthe Zoë Mehmet Sören Marlene Jörg Ayşe Lukas Friederike Ömer Heike Tilman Małgorzata",
        "Müller Schröder Großmann Öztürk Weiß Hönig Claßen Kröger Bäcker Jansen Petersen Lütjens Brüggemann Nguyễn "
        "Wójcik Freiherr_von_Altenstedt Meyer-Lüdenscheidt",
        "Tischlerei Malerbetrieb Elektrotechnik Zimmerei Dachdeckerei Gartenbau Sanitär Metallbau Fliesen Glaserei "
        "Bootsbau Raumausstattung Kältetechnik Solartechnik",
        "GmbH GmbH_&_Co._KG e._K. UG_(haftungsbeschränkt) OHG AG",
        "Hafenstraße Am_Sandtorkai Große_Elbstraße Bäckergasse Lindenallee Mühlenweg Schloßplatz Königsallee Ährenweg",
        (
            ("20457", "Hamburg", ""), ("10115", "Berlin", ""), ("80331", "München", ""), ("50667", "Köln", ""),
            ("28195", "Bremen", ""), ("04109", "Leipzig", ""), ("24103", "Kiel", ""), ("70173", "Stuttgart", ""),
            ("97318", "Kitzingen", ""), ("06493", "Ballenstedt", ""), ("99084", "Erfurt", ""),
        ),
        "+49 40 66969{:03}",
    ),
    "FR": Place(
        "fr", "EUR", "Europe/Paris",
        "Chloé François Aïcha Hélène Gaël Benoît Margaux Noël Élodie Thierry",
        "Lefèvre Dubois Garçon Béranger Peñalver Moreau Château D'Aubigné Lemaître Roche-Desbiens",
        "Menuiserie Plomberie Électricité Charpente Peinture Maçonnerie Serrurerie Paysages",
        "SARL SAS EURL SASU",
        "rue_de_l'Église avenue_Jean-Jaurès boulevard_de_la_Liberté place_du_Marché quai_des_Chartrons",
        (
            ("75011", "Paris", ""), ("69002", "Lyon", ""), ("33000", "Bordeaux", ""), ("13001", "Marseille", ""),
            ("67000", "Strasbourg", ""), ("35000", "Rennes", ""),
        ),
        "+33 1 99 00 {:02} 00",
    ),
    "IT": Place(
        "it", "EUR", "Europe/Rome",
        "Niccolò Giulia Andrea Chiara Matteo Lucrezia Ettore Noè",
        "Bianchi D'Angelo Ferrè De_Santis Rossetti Colombo Lo_Presti Dell'Acqua",
        "Falegnameria Idraulica Impianti Edilizia Serramenti Giardini Ceramiche",
        "S.r.l. S.p.A. S.n.c. S.a.s.",
        "Via_Garibaldi Corso_Umberto_I Piazza_della_Libertà Viale_dei_Mille Via_dell'Orologio",
        (
            ("20121", "Milano", "MI"), ("00184", "Roma", "RM"), ("40121", "Bologna", "BO"), ("80133", "Napoli", "NA"),
            ("39100", "Bolzano", "BZ"),
        ),
        "+39 02 9900{:03}",
    ),
    "ES": Place(
        "es", "EUR", "Europe/Madrid",
        "Íñigo Begoña José Lucía Ángel Nuria Martín Concepción",
        "Muñoz_Peña García_Ibáñez Núñez Fernández_de_Córdoba Etxeberria Peláez Güell",
        "Carpintería Fontanería Electricidad Reformas Cristalería Jardinería",
        "S.L. S.A. S.L.U.",
        "calle_de_Alcalá avenida_de_la_Constitución paseo_del_Prado plaza_de_España calle_Peñuelas",
        (
            ("28013", "Madrid", ""), ("08002", "Barcelona", ""), ("41001", "Sevilla", ""), ("46002", "València", ""),
            ("48005", "Bilbao", ""),
        ),
        "+34 910 000 {:03}",
    ),
    "NL": Place(
        "en", "EUR", "Europe/Amsterdam",
        "Sanne Joris Fleur Pieter Noortje Daan Wieteke",
        "van_der_Meer de_Vries 't_Hooft IJsselstein van_den_Broek Kuijpers",
        "Timmerwerken Installatietechniek Schilders Hoveniers Dakwerken Scheepsbouw",
        "B.V. V.O.F. N.V.",
        "Prinsengracht Coolsingel Oudezijds_Voorburgwal Stationsweg Zuiderzeestraat",
        (
            ("1015 CJ", "Amsterdam", ""), ("3012 AA", "Rotterdam", ""), ("3511 LX", "Utrecht", ""),
            ("9711 LM", "Groningen", ""),
        ),
        "+31 20 990 0{:03}",
    ),
    "AT": Place(
        "de", "EUR", "Europe/Vienna",
        "Leopold Theresia Wolfgang Resi Xaver",
        "Gruber Hölzl Pichler Schönthaler Österreicher",
        "Tischlerei Installationen Spenglerei Zimmerei",
        "GmbH KG e.U.",
        "Mariahilfer_Straße Linzer_Gasse Höttinger_Gasse Grabenweg",
        (("1060", "Wien", ""), ("5020", "Salzburg", ""), ("6020", "Innsbruck", ""), ("8010", "Graz", "")),
        "+43 1 990{:03}",
    ),
    "CH": Place(
        "de", "CHF", "Europe/Zurich",
        "Urs Regula Beat Vreni",
        "Zürcher Bänziger Füßli Aebischer",
        "Schreinerei Spenglerei Haustechnik Gipserei",
        "AG GmbH",
        "Bahnhofstrasse Rämistrasse Gerechtigkeitsgasse Seestrasse",
        (("8001", "Zürich", ""), ("3011", "Bern", ""), ("4051", "Basel", ""), ("6003", "Luzern", "")),
        "+41 44 990 00 {:02}",
    ),
    "US": Place(
        "en", "USD", "America/New_York",
        "Ashley Tyler Imani Diego Brooke Xiomara",
        "O'Brien Washington Nakamura Kowalski St._James Delacroix-Fitzgerald",
        "Carpentry Plumbing Roofing Landscaping Boatworks HVAC",
        "LLC Inc. Corp.",
        "Market_Street 5th_Avenue Harbor_Drive Elm_Street Old_Mill_Road",
        (
            ("10013", "New York", "US-NY"), ("02110", "Boston", "US-MA"), ("33131", "Miami", "US-FL"),
            ("94105", "San Francisco", "US-CA"),
        ),
        "+1 212 555 01{:02}",
    ),
}  # fmt: skip

LONG_FIRMS = (
    "Wirtschaftsprüfungs- und Steuerberatungsgesellschaft Großmann, Öztürk, Meyer-Lüdenscheidt & Partner mbB",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft e. V.",
    "Société Anonyme des Établissements Lefèvre, Béranger et Successeurs Réunis du Grand Sud-Ouest",
    "=1+1 Werbeagentur GmbH",
)
